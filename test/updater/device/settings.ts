/** Settings of a machine that follows a repository, and nothing else set. */
import type { UpdateSettings } from '../../../spec/update.ts';

export const SETTINGS: UpdateSettings = {
  enabled: true,
  url: 'http://updates.example',
  mirrors: [],
  channel: 'stable',
  pollMs: 3_600_000,
  download: 'auto',
  reboot: null,
  windows: [],
  bandwidthBytesPerSecond: null,
  metered: false,
  fullDownloads: null,
  proxy: null,
  ca: null,
  wave: 'normal',
};
