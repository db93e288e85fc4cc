/**
 * Time zones by name, for machines, which have no time zone data: the rule of each in POSIX form (what TZ holds), as it is to stand from now
 * on. Written by scripts/time-zones.mjs from the IANA data; the names of one rule share their area until another one is given.
 *
 * Morocco's and Palestine's clocks follow Ramadan, which no such rule can say: their summer time is that of other years.
 */
const ZONES: Readonly<Record<string, string>> = {
  '<+00>0<+02>-2,M3.5.0/1,M10.5.0/3': 'Antarctica/Troll',
  '<+01>-1': 'Africa/Casablanca El_Aaiun',
  '<+0330>-3:30': 'Asia/Tehran',
  '<+03>-3':
    'Antarctica/Syowa Asia/Aden Amman Baghdad Bahrain Damascus Kuwait Qatar Riyadh Europe/Istanbul Minsk',
  '<+0430>-4:30': 'Asia/Kabul',
  '<+04>-4':
    'Asia/Baku Dubai Muscat Tbilisi Yerevan Europe/Astrakhan Samara Saratov Ulyanovsk Indian/Mahe Mauritius Reunion',
  '<+0530>-5:30': 'Asia/Colombo',
  '<+0545>-5:45': 'Asia/Kathmandu',
  '<+05>-5':
    'Antarctica/Mawson Vostok Asia/Almaty Aqtau Aqtobe Ashgabat Atyrau Dushanbe Oral Qostanay Qyzylorda Samarkand Tashkent Yekaterinburg Indian/Kerguelen Maldives',
  '<+0630>-6:30': 'Asia/Yangon Indian/Cocos',
  '<+06>-6': 'Asia/Bishkek Dhaka Omsk Thimphu Urumqi Indian/Chagos',
  '<+07>-7':
    'Antarctica/Davis Asia/Bangkok Barnaul Ho_Chi_Minh Hovd Krasnoyarsk Novokuznetsk Novosibirsk Phnom_Penh Tomsk Vientiane Indian/Christmas',
  '<+0845>-8:45': 'Australia/Eucla',
  '<+08>-8': 'Antarctica/Casey Asia/Brunei Irkutsk Kuala_Lumpur Kuching Singapore Ulaanbaatar',
  '<+09>-9': 'Asia/Chita Dili Khandyga Yakutsk Pacific/Palau',
  '<+1030>-10:30<+11>-11,M10.1.0,M4.1.0': 'Australia/Lord_Howe',
  '<+10>-10': 'Antarctica/DumontDUrville Asia/Ust-Nera Vladivostok Pacific/Chuuk Port_Moresby',
  '<+11>-11':
    'Asia/Magadan Sakhalin Srednekolymsk Pacific/Bougainville Efate Guadalcanal Kosrae Noumea Pohnpei',
  '<+11>-11<+12>,M10.1.0,M4.1.0/3': 'Pacific/Norfolk',
  '<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45': 'Pacific/Chatham',
  '<+12>-12': 'Asia/Anadyr Kamchatka Pacific/Fiji Funafuti Kwajalein Majuro Nauru Tarawa Wake Wallis',
  '<+13>-13': 'Pacific/Apia Fakaofo Kanton Tongatapu',
  '<+14>-14': 'Pacific/Kiritimati',
  '<-01>1': 'Atlantic/Cape_Verde',
  '<-01>1<+00>,M3.5.0/0,M10.5.0/1': 'Atlantic/Azores',
  '<-02>2': 'America/Noronha Atlantic/South_Georgia',
  '<-02>2<-01>,M3.5.0/-1,M10.5.0/0': 'America/Nuuk Scoresbysund',
  '<-03>3':
    'America/Araguaina America/Argentina/Buenos_Aires Catamarca Cordoba Jujuy La_Rioja Mendoza Rio_Gallegos Salta San_Juan San_Luis Tucuman Ushuaia America/Asuncion Bahia Belem Cayenne Coyhaique Fortaleza Maceio Montevideo Paramaribo Punta_Arenas Recife Santarem Sao_Paulo Antarctica/Palmer Rothera Atlantic/Stanley',
  '<-03>3<-02>,M3.2.0,M11.1.0': 'America/Miquelon',
  '<-04>4': 'America/Boa_Vista Campo_Grande Caracas Cuiaba Guyana La_Paz Manaus Porto_Velho',
  '<-04>4<-03>,M9.1.6/24,M4.1.6/24': 'America/Santiago',
  '<-05>5': 'America/Bogota Eirunepe Guayaquil Lima Rio_Branco',
  '<-06>6': 'Pacific/Galapagos',
  '<-06>6<-05>,M9.1.6/22,M4.1.6/22': 'Pacific/Easter',
  '<-08>8': 'Pacific/Pitcairn',
  '<-0930>9:30': 'Pacific/Marquesas',
  '<-09>9': 'Pacific/Gambier',
  '<-10>10': 'Pacific/Rarotonga Tahiti',
  '<-11>11': 'Pacific/Niue',
  'ACST-9:30': 'Australia/Darwin',
  'ACST-9:30ACDT,M10.1.0,M4.1.0/3': 'Australia/Adelaide Broken_Hill',
  'AEST-10': 'Australia/Brisbane Lindeman',
  'AEST-10AEDT,M10.1.0,M4.1.0/3': 'Antarctica/Macquarie Australia/Hobart Melbourne Sydney',
  'AKST9AKDT,M3.2.0,M11.1.0': 'America/Anchorage Juneau Metlakatla Nome Sitka Yakutat',
  AST4: 'America/Anguilla Antigua Aruba Barbados Blanc-Sablon Curacao Dominica Grenada Guadeloupe Kralendijk Lower_Princes Marigot Martinique Montserrat Port_of_Spain Puerto_Rico Santo_Domingo St_Barthelemy St_Kitts St_Lucia St_Thomas St_Vincent Tortola',
  'AST4ADT,M3.2.0,M11.1.0': 'America/Glace_Bay Goose_Bay Halifax Moncton Thule Atlantic/Bermuda',
  'AWST-8': 'Australia/Perth',
  'CAT-2': 'Africa/Blantyre Bujumbura Gaborone Harare Juba Khartoum Kigali Lubumbashi Lusaka Maputo Windhoek',
  'CET-1': 'Africa/Algiers Tunis',
  'CET-1CEST,M3.5.0,M10.5.0/3':
    'Africa/Ceuta Arctic/Longyearbyen Europe/Amsterdam Andorra Belgrade Berlin Bratislava Brussels Budapest Busingen Copenhagen Gibraltar Ljubljana Luxembourg Madrid Malta Monaco Oslo Paris Podgorica Prague Rome San_Marino Sarajevo Skopje Stockholm Tirane Vaduz Vatican Vienna Warsaw Zagreb Zurich',
  'CST-8': 'Asia/Macau Shanghai Taipei',
  'CST5CDT,M3.2.0/0,M11.1.0/1': 'America/Havana',
  CST6: 'America/Bahia_Banderas Belize Chihuahua Costa_Rica El_Salvador Guatemala Managua Merida Mexico_City Monterrey Regina Swift_Current Tegucigalpa',
  'CST6CDT,M3.2.0,M11.1.0':
    'America/Chicago America/Indiana/Knox Tell_City America/Matamoros Menominee America/North_Dakota/Beulah Center New_Salem America/Ojinaga Rankin_Inlet Resolute Winnipeg',
  'ChST-10': 'Pacific/Guam Saipan',
  'EAT-3':
    'Africa/Addis_Ababa Asmara Dar_es_Salaam Djibouti Kampala Mogadishu Nairobi Indian/Antananarivo Comoro Mayotte',
  'EET-2': 'Africa/Tripoli Europe/Kaliningrad',
  'EET-2EEST,M3.4.4/50,M10.4.4/50': 'Asia/Gaza Hebron',
  'EET-2EEST,M3.5.0,M10.5.0/3': 'Europe/Chisinau',
  'EET-2EEST,M3.5.0/0,M10.5.0/0': 'Asia/Beirut',
  'EET-2EEST,M3.5.0/3,M10.5.0/4':
    'Asia/Famagusta Nicosia Europe/Athens Bucharest Helsinki Kyiv Mariehamn Riga Sofia Tallinn Vilnius',
  'EET-2EEST,M4.5.5/0,M10.5.4/24': 'Africa/Cairo',
  EST5: 'America/Atikokan Cancun Cayman Jamaica Panama',
  'EST5EDT,M3.2.0,M11.1.0':
    'America/Detroit Grand_Turk America/Indiana/Indianapolis Marengo Petersburg Vevay Vincennes Winamac America/Iqaluit America/Kentucky/Louisville Monticello America/Nassau New_York Port-au-Prince Toronto',
  GMT0: 'Africa/Abidjan Accra Bamako Banjul Bissau Conakry Dakar Freetown Lome Monrovia Nouakchott Ouagadougou Sao_Tome America/Danmarkshavn Atlantic/Reykjavik St_Helena',
  'GMT0BST,M3.5.0/1,M10.5.0': 'Europe/Guernsey Isle_of_Man Jersey London',
  'HKT-8': 'Asia/Hong_Kong',
  HST10: 'Pacific/Honolulu',
  'HST10HDT,M3.2.0,M11.1.0': 'America/Adak',
  'IST-1GMT0,M10.5.0,M3.5.0/1': 'Europe/Dublin',
  'IST-2IDT,M3.4.4/26,M10.5.0': 'Asia/Jerusalem',
  'IST-5:30': 'Asia/Kolkata',
  'JST-9': 'Asia/Tokyo',
  'KST-9': 'Asia/Pyongyang Seoul',
  'MSK-3': 'Europe/Kirov Moscow Simferopol Volgograd',
  MST7: 'America/Creston Dawson Dawson_Creek Fort_Nelson Hermosillo Mazatlan Phoenix Whitehorse',
  'MST7MDT,M3.2.0,M11.1.0': 'America/Boise Cambridge_Bay Ciudad_Juarez Denver Edmonton Inuvik',
  'NST3:30NDT,M3.2.0,M11.1.0': 'America/St_Johns',
  'NZST-12NZDT,M9.5.0,M4.1.0/3': 'Antarctica/McMurdo Pacific/Auckland',
  'PKT-5': 'Asia/Karachi',
  'PST-8': 'Asia/Manila',
  'PST8PDT,M3.2.0,M11.1.0': 'America/Los_Angeles Tijuana Vancouver',
  'SAST-2': 'Africa/Johannesburg Maseru Mbabane',
  SST11: 'Pacific/Midway Pago_Pago',
  UTC0: 'UTC',
  'WAT-1':
    'Africa/Bangui Brazzaville Douala Kinshasa Lagos Libreville Luanda Malabo Ndjamena Niamey Porto-Novo',
  'WET0WEST,M3.5.0/1,M10.5.0': 'Atlantic/Canary Faroe Madeira Europe/Lisbon',
  'WIB-7': 'Asia/Jakarta Pontianak',
  'WIT-9': 'Asia/Jayapura',
  'WITA-8': 'Asia/Makassar',
};

/** The POSIX rule of a zone; `undefined` when no zone is called so. */
export function zoneRule(name: string): string | undefined {
  return zones().get(name);
}

/** All names. */
export function zoneNames(): readonly string[] {
  return [...zones().keys()];
}

let known: ReadonlyMap<string, string> | undefined;

function zones(): ReadonlyMap<string, string> {
  if (known !== undefined) return known;
  const found = new Map<string, string>();
  for (const [rule, names] of Object.entries(ZONES)) {
    let area = '';
    for (const name of names.split(' ')) {
      const slash = name.lastIndexOf('/') + 1;
      if (slash > 0 || name === 'UTC') area = name.slice(0, slash);
      found.set(slash > 0 ? name : area + name, rule);
    }
  }
  return (known = found);
}
