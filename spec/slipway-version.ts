/** Version of Slipway itself, as in package.json (a test compares). */
export const SLIPWAY_VERSION = '0.1.0';
