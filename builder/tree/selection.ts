/** What is taken from a Debian package: the named files, or all but documentation and what only a distribution needs. */
import type { PackageSelection } from '../../spec/image.ts';

/** Left out of packages that are taken whole. */
const NOT_TAKEN = [
  '/usr/share/{doc,man,info,locale,lintian,bug,bash-completion,zsh,fish,initramfs-tools,apport,metainfo,menu,doc-base}/**',
  '/usr/include/**',
  '/usr/**/*.a',
  '/usr/**/*.la',
  '/usr/**/pkgconfig/**',
  '/usr/**/cmake/**',
  '/usr/lib/{systemd,tmpfiles.d,sysusers.d,udev,modules-load.d,sysctl.d}/**',
  '/etc/{init.d,default,cron.*,apparmor.d,logrotate.d,pam.d,rc*.d,systemd,init,insserv.conf.d,sv,runit}/**',
  '/var/**',
].map(globToRegExp);

/** Whether a path of a package is taken. */
export function isSelected(selection: PackageSelection): (path: string) => boolean {
  if (selection.files === undefined) return (path) => !NOT_TAKEN.some((pattern) => pattern.test(path));
  const patterns = selection.files.map(globToRegExp);
  return (path) => patterns.some((pattern) => pattern.test(path));
}

/** `*` within one component, `**` across components, `{a,b}` either. */
export function globToRegExp(glob: string): RegExp {
  let source = '';
  for (let index = 0; index < glob.length; index += 1) {
    const character = glob.charAt(index);
    if (glob.startsWith('**/', index)) {
      source += '(?:.*/)?';
      index += 2;
    } else if (glob.startsWith('**', index)) {
      source += '.*';
      index += 1;
    } else if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '{') source += '(?:';
    else if (character === '}') source += ')';
    else if (character === ',') source += '|';
    else source += character.replace(/[\\^$.|+()[\]]/g, '\\$&');
  }
  return new RegExp(`^${source}$`);
}
