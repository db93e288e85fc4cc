/** What comes last: a message, a call home, going down. */
import type { System } from '../../../system/system.ts';
import { HOST_KEYS } from '../plan/paths.ts';
import type { MessageAction, PhoneHomeAction, PowerAction } from '../plan/step.ts';
import type { HttpClient } from '../source/http/client.ts';
import { sayOnConsole } from '../console.ts';
import type { Marks } from './marks.ts';
import { done, failed, type StepResult } from './result.ts';
import { runScript, type ScriptContext } from './script.ts';

const PAUSE_MS = 3000;

/** cloud-init's variables: $UPTIME, $TIMESTAMP, $VERSION ($DATASOURCE is the plan's). */
export async function applyMessage(
  system: System,
  { text }: MessageAction,
  marks: Marks,
  version: string,
): Promise<StepResult> {
  if (marks.get('final-message') !== undefined) return done(false);
  const values: Readonly<Record<string, string>> = {
    uptime: (system.uptimeMs() / 1000).toFixed(2),
    timestamp: new Date(system.wallClockMs()).toISOString(),
    version,
  };
  const filled = text.replace(
    /\$\{?(uptime|timestamp|version)\}?/gi,
    (_, name: string) => values[name.toLowerCase()] ?? '',
  );
  // eslint-disable-next-line no-control-regex
  const plain = filled.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, ' ').trimEnd();
  sayOnConsole(system, `${plain.replaceAll('\n', '\r\n')}\r\n`);
  await marks.set('final-message', { state: 'ended', code: 0 }).catch(() => undefined);
  return done(true);
}

/** cloud-init's form: fields of a form, POSTed. */
export async function applyPhoneHome(
  system: System,
  action: PhoneHomeAction,
  marks: Marks,
  http: HttpClient | undefined,
): Promise<StepResult> {
  if (marks.get('phone-home') !== undefined) return done(false);
  if (http === undefined) return failed('there is no network to phone home by');
  const body = action.post
    .map((field) => `${field}=${formEncoded(valueOf(system, action, field))}`)
    .join('&');
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  for (let left = Math.max(1, action.tries); left > 0; left -= 1) {
    if (await sent()) {
      await marks.set('phone-home', { state: 'ended', code: 0 }).catch(() => undefined);
      return done(true);
    }
    if (left > 1) await http.pause(PAUSE_MS);
  }
  // The address may hold a token, so it is not told.
  return failed(`nobody answered the call home, ${action.tries} times`);

  async function sent(): Promise<boolean> {
    try {
      const { status } = await http!.once({ method: 'POST', url: action.url, headers, body });
      return status >= 200 && status < 300;
    } catch {
      return false;
    }
  }
}

export interface PowerWish {
  readonly mode: 'poweroff' | 'reboot';
  readonly delaySeconds: number;
  readonly message: string | null;
}

/** Whether to go down: once an instance, and remembered before, so that no machine restarts for ever. */
export async function applyPower(
  system: System,
  { condition, mode, delaySeconds, message }: PowerAction,
  marks: Marks,
  context: ScriptContext,
): Promise<StepResult & { readonly wish?: PowerWish }> {
  if (marks.get('power-state') !== undefined) return done(false);
  if (condition !== null && (await runScript(system, condition, context)) !== 0)
    return done(false, 'its condition does not hold');
  try {
    await marks.set('power-state', { state: 'ended', code: 0 });
  } catch {
    return failed('that it went down could not be remembered, so it stays up');
  }
  return { ...done(true), wish: { mode, delaySeconds, message } };
}

function valueOf(system: System, { values }: PhoneHomeAction, field: string): string {
  const [, type] = /^pub_key_(\w+)$/.exec(field) ?? [];
  if (type === undefined) return values[field] ?? 'N/A';
  return system.readText(`${HOST_KEYS}/ssh_host_${type}_key.pub`)?.trim() ?? 'N/A';
}

/** application/x-www-form-urlencoded. */
function formEncoded(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
