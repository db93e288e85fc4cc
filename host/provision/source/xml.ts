/** The little of XML that OVF environments and Azure's answers need: texts of elements and their attributes, whatever their namespaces. */

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** The text of the first element of that name; `undefined` where there is none, or where it holds elements. */
export function elementText(xml: string, name: string): string | undefined {
  const text = new RegExp(`<(?:[\\w.-]+:)?${name}(?:\\s[^>]*)?>([^<]*)</`).exec(withoutComments(xml))?.[1];
  return text === undefined ? undefined : unescape(text).trim();
}

/** The attributes, namespaces taken off, of each element of that name. */
export function elementAttributes(xml: string, name: string): readonly Readonly<Record<string, string>>[] {
  const elements = withoutComments(xml).matchAll(new RegExp(`<(?:[\\w.-]+:)?${name}\\s([^>]*)>`, 'g'));
  return [...elements].map((element) =>
    Object.fromEntries(
      [...(element[1] ?? '').matchAll(/(?:[\w.-]+:)?([\w.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)].map(
        ([, key = '', double, single]) => [key, unescape(double ?? single ?? '')],
      ),
    ),
  );
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function withoutComments(xml: string): string {
  return xml.replace(/<!--[\s\S]*?-->/g, '');
}

function unescape(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w+));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name as string] ?? whole;
    const point = decimal === undefined ? parseInt(hex as string, 16) : Number(decimal);
    return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : '';
  });
}
