/** OVA (DMTF DSP0243, OVF 1.1): description, digests, disk, in one tar. For VMware and VirtualBox. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { temporaryName } from '../cache/directory.ts';
import { fileDigest } from '../build/artifacts.ts';
import { writeOutput } from './output.ts';
import { writeVmdk } from './vmdk.ts';
import type { SparseDisk } from './sparse-disk.ts';

export interface OvaOptions {
  readonly name: string;
  readonly version: string;
  readonly memoryMiB: number;
  readonly contentId: string;
  /** Seconds since 1970: the time of the members. */
  readonly epoch: number;
}

/** The disk's VMDK is made beside it first: a tar wants to know its length beforehand. */
export async function writeOva(disk: SparseDisk, output: string, options: OvaOptions): Promise<void> {
  const base = `${options.name}_${options.version}`;
  const vmdk = temporaryName(output);
  try {
    await writeVmdk(disk, vmdk, { name: `${base}.vmdk`, contentId: options.contentId });
    const vmdkBytes = (await stat(vmdk)).size;
    const ovf = Buffer.from(description(options, `${base}.vmdk`, vmdkBytes, disk.sizeBytes));
    const digests = [
      `SHA256(${base}.ovf)= ${createHash('sha256').update(ovf).digest('hex')}`,
      `SHA256(${base}.vmdk)= ${await fileDigest(vmdk)}`,
    ];
    await writeOutput(output, async (file) => {
      const tar = pack();
      const written = (async () => {
        for await (const chunk of tar as AsyncIterable<Uint8Array>) await file.append(chunk);
      })();
      const member = { mode: 0o644, uid: 0, gid: 0, mtime: new Date(options.epoch * 1000) };
      tar.entry({ name: `${base}.ovf`, ...member }, ovf);
      tar.entry({ name: `${base}.mf`, ...member }, `${digests.join('\n')}\n`);
      const entry = tar.entry({ name: `${base}.vmdk`, size: vmdkBytes, ...member });
      await Promise.race([pipeline(createReadStream(vmdk), entry), written]);
      tar.finalize();
      await written;
    });
  } finally {
    await rm(vmdk, { force: true });
  }
}

/** A UEFI machine with a SATA disk and an Intel card: what both VMware and VirtualBox know, and every image has drivers for. */
function description(options: OvaOptions, file: string, fileBytes: number, diskBytes: number): string {
  const item = (id: number, type: number, name: string, more: readonly string[]): string =>
    [
      '      <Item>',
      ...[...more, `<rasd:ElementName>${name}</rasd:ElementName>`, `<rasd:InstanceID>${id}</rasd:InstanceID>`]
        .concat(`<rasd:ResourceType>${type}</rasd:ResourceType>`)
        .sort((a, b) => (a.slice(6) < b.slice(6) ? -1 : 1))
        .map((line) => `        ${line}`),
      '      </Item>',
    ].join('\n');
  return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References>
    <File ovf:href="${file}" ovf:id="file1" ovf:size="${fileBytes}"/>
  </References>
  <DiskSection>
    <Info>Virtual disks</Info>
    <Disk ovf:capacity="${diskBytes}" ovf:capacityAllocationUnits="byte" ovf:diskId="disk1" ovf:fileRef="file1" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection>
    <Info>Networks</Info>
    <Network ovf:name="network">
      <Description>The network of the machine</Description>
    </Network>
  </NetworkSection>
  <VirtualSystem ovf:id="${options.name}">
    <Info>A Slipway machine</Info>
    <Name>${options.name} ${options.version}</Name>
    <OperatingSystemSection ovf:id="101" vmw:osType="other5xLinux64Guest">
      <Info>Operating system</Info>
      <Description>Slipway</Description>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware</Info>
      <System>
        <vssd:ElementName>Virtual hardware</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>${options.name}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-14</vssd:VirtualSystemType>
      </System>
${[
  item(1, 3, 'processors', ['<rasd:VirtualQuantity>2</rasd:VirtualQuantity>']),
  item(2, 4, 'memory', [
    '<rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>',
    `<rasd:VirtualQuantity>${options.memoryMiB}</rasd:VirtualQuantity>`,
  ]),
  item(3, 20, 'SATA controller', [
    '<rasd:Address>0</rasd:Address>',
    '<rasd:ResourceSubType>AHCI</rasd:ResourceSubType>',
  ]),
  item(4, 17, 'disk', [
    '<rasd:AddressOnParent>0</rasd:AddressOnParent>',
    '<rasd:HostResource>ovf:/disk/disk1</rasd:HostResource>',
    '<rasd:Parent>3</rasd:Parent>',
  ]),
  item(5, 10, 'network card', [
    '<rasd:AutomaticAllocation>true</rasd:AutomaticAllocation>',
    '<rasd:Connection>network</rasd:Connection>',
    '<rasd:ResourceSubType>E1000</rasd:ResourceSubType>',
  ]),
].join('\n')}
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`;
}
