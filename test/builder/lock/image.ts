/** The smallest image definition that a lock can be made for. */
import type { ImageDefinition } from '../../../spec/image.ts';

export interface ImageParts {
  readonly file?: string;
  readonly packages?: readonly string[];
  readonly kernel?: string;
  readonly architecture?: ImageDefinition['architecture'];
}

export function imageOf(parts: ImageParts = {}): ImageDefinition {
  return {
    file: parts.file ?? '/nonexistent/image.yaml',
    name: 'test',
    version: '1.0.0',
    architecture: parts.architecture ?? 'amd64',
    distribution: { suite: 'trixie' },
    kernel: {
      package: parts.kernel ?? 'linux-image-cloud-amd64',
      modules: [],
      initrdModules: [],
      commandLine: [],
      firmware: [],
      microcode: false,
    },
    host: {
      packages: (parts.packages ?? []).map((name) => ({ name })),
      files: [],
      shell: false,
      gateSoakMs: 0,
    },
    users: [],
    disk: { sectorSize: 512, stateSizeBytes: 0 },
    inputs: [],
    profiles: [],
    services: [],
    sources: [],
  };
}
