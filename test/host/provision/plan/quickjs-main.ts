/** Reads `{documents, facts, policy}` and prints the plan of each document, under QuickJS. */
import { readDocuments } from '../../../../host/provision/document/read.ts';
import type { MachineFacts } from '../../../../host/provision/plan/facts.ts';
import { planConfig } from '../../../../host/provision/plan/plan.ts';
import type { ProvisioningPolicy } from '../../../../spec/provisioning.ts';
import { createQuickJsSystem } from '../../../../system/quickjs.ts';

interface Input {
  readonly documents: readonly string[];
  readonly facts: MachineFacts;
  readonly policy: ProvisioningPolicy;
}

const system = createQuickJsSystem();

async function main(): Promise<void> {
  const { documents, facts, policy } = JSON.parse(system.readText(system.arguments[0] ?? '') ?? '') as Input;
  const plans: string[] = [];
  for (const document of documents) {
    const { config } = await readDocuments(
      { userData: system.encode(document) },
      { variables: {}, fetch: () => Promise.resolve(undefined), inflate: () => Promise.resolve(undefined) },
    );
    plans.push(JSON.stringify(planConfig(config, facts, policy)));
  }
  system.writeText(system.arguments[1] ?? '', JSON.stringify(plans));
}

void main();
