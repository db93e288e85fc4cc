import { Option } from 'commander';

/** Any image definition builds for any architecture, on a machine of any. */
export function architectureOption(): Option {
  return new Option(
    '--architecture <NAME>',
    'build for this one instead of what the definition says; it has a lock file of its own',
  ).choices(['amd64', 'arm64']);
}
