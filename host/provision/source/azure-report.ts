/** Azure waits for each machine to say that it is ready, else it counts as failed. docs/datasources/azure.md */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import type { Budget } from './found.ts';
import { createHttpClient, refused } from './http/client.ts';
import type { HttpProgram } from './http/exchange.ts';
import { elementText, escapeXml } from './xml.ts';

/** The same in all of Azure's regions. */
const WIRE_SERVER = 'http://168.63.129.16/machine';
const HEADERS = { 'x-ms-version': '2012-11-30', 'x-ms-agent-name': 'Slipway' };

/** Throws `provision.unreachable`, `provision.refused`, `provision.meta-data`: worth telling, and worth another try at the next boot. */
export async function reportReady(system: System, budget: Budget, program?: HttpProgram): Promise<void> {
  const http = createHttpClient(system, budget, program);
  const goal = await http.get(`${WIRE_SERVER}/?comp=goalstate`, HEADERS);
  const text = goal === undefined ? '' : system.decode(goal);
  const incarnation = elementText(text, 'Incarnation');
  const container = elementText(text, 'ContainerId');
  const instance = elementText(text, 'InstanceId');
  if (incarnation === undefined || container === undefined || instance === undefined)
    throw new SlipwayError('provision.meta-data', 'Azure’s goal state is not what it should be');
  const url = `${WIRE_SERVER}?comp=health`;
  const { status } = await http.persist({
    method: 'POST',
    url,
    headers: { ...HEADERS, 'Content-Type': 'text/xml; charset=utf-8' },
    body: healthReport(incarnation, container, instance),
  });
  if (status !== 200) throw refused(url, status);
}

function healthReport(incarnation: string, container: string, instance: string): string {
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<Health xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">',
    `<GoalStateIncarnation>${escapeXml(incarnation)}</GoalStateIncarnation>`,
    `<Container><ContainerId>${escapeXml(container)}</ContainerId>`,
    `<RoleInstanceList><Role><InstanceId>${escapeXml(instance)}</InstanceId>`,
    '<Health><State>Ready</State></Health></Role></RoleInstanceList></Container></Health>',
  ].join('');
}
