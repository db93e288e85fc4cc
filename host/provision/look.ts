/** look.js, the small program of each boot: is there anything that this machine was not told before? */
import { createQuickJsSystem } from '../../system/quickjs.ts';
import { look } from './stages/look.ts';

const system = createQuickJsSystem();
/** Of `sysinit`: provision.js has to be run. */
const MORE = 10;

try {
  system.exit((await look(system, system.arguments[0] === 'all' ? 'all' : 'present')) === 'more' ? MORE : 0);
} catch (error) {
  // A source that is there and cannot be read: provision.js says so at length.
  system.log(String(error));
  system.exit(MORE);
}
