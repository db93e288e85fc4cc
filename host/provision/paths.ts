/** Files of a boot beside those of spec/provisioning.ts; slipd reads the first three (host/slipd/provision.ts). */
import { PROVISIONING_PATHS } from '../../spec/provisioning.ts';

const { runtime } = PROVISIONING_PATHS;

export const PATHS = {
  /** There is work that needs the network, or running services. */
  due: `${runtime}/due`,
  /** Uptime in milliseconds at which the configuration that is tried gives way to the one before. */
  try: `${runtime}/try`,
  /** Why the gate `provisioning` is not well, in one line. */
  problem: `${runtime}/problem`,
  /** What runs at every boot has run in this one. */
  early: `${runtime}/early`,
  machine: `${runtime}/machine.json`,
  status: `${runtime}/status.json`,
  lock: `${runtime}/lock`,
  /** What `slip config apply` was given, for the process that does it. */
  staged: `${runtime}/staged`,
} as const;

/** How the machine's programs of ours are run (host/slipd/paths.ts says why). */
export const QJS = ['/usr/bin/qjs', '--no-unhandled-rejection', '-m'] as const;
