/** The packets of the ring as a pcapng file with one interface block per capture point. */
import { PcapngWriter } from '../../capture/pcapng-writer.ts';
import { memorySink } from '../../capture/sink.ts';
import type { ExportedFile } from '../../api/model.ts';
import { wantsPoint } from './packet-feed.ts';
import type { PacketRing } from './packet-ring.ts';

/** @param points those wanted; undefined for all links. */
export function exportRing(
  ring: PacketRing,
  points: ReadonlySet<string> | undefined,
  labName: string,
): ExportedFile {
  const { sink, contents } = memorySink();
  const writer = new PcapngWriter(sink, { application: 'Stackscope' });
  const interfaces = new Map<string, number>();
  let packets = 0;
  for (let number = ring.first; number < ring.next; number++) {
    const { time, point, linkType, length, bytes } = ring.raw(number);
    if (!wantsPoint(points, point)) continue;
    let interfaceId = interfaces.get(point);
    if (interfaceId === undefined) {
      interfaceId = writer.addInterface({ name: point, linkType });
      interfaces.set(point, interfaceId);
    }
    writer.writePacket({ interfaceId, time, data: bytes, originalLength: length });
    packets++;
  }
  writer.close();
  return { name: `${labName}.pcapng`, packets, data: Buffer.from(contents()).toString('base64') };
}
