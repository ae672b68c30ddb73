/** The packets of the ring as a pcapng file with one interface block per capture point, and the journeys of those that were followed. */
import { PcapngWriter } from '../../capture/pcapng-writer.ts';
import { journeyBlocks, journeyOption } from '../../capture/journey.ts';
import { memorySink } from '../../capture/sink.ts';
import type { ExportedFile } from '../../api/model.ts';
import type { JourneyStore } from './journey-store.ts';
import type { PacketRing, RawPacket } from './packet-ring.ts';

const LITTLE_ENDIAN = true;

/** @param wanted which packets go into it. */
export function exportRing(
  ring: PacketRing,
  journeys: JourneyStore,
  wanted: (packet: RawPacket) => boolean,
  labName: string,
): ExportedFile {
  const { sink, contents } = memorySink();
  const writer = new PcapngWriter(sink, { application: 'Stackscope', littleEndian: LITTLE_ENDIAN });
  const interfaces = new Map<string, number>();
  const followed = new Set<number>();
  let packets = 0;
  for (let number = ring.first; number < ring.next; number++) {
    const packet = ring.raw(number);
    if (!wanted(packet)) continue;
    const { time, point, linkType, length, bytes, journey } = packet;
    let interfaceId = interfaces.get(point);
    if (interfaceId === undefined) {
      interfaceId = writer.addInterface({ name: point, linkType });
      interfaces.set(point, interfaceId);
    }
    const options = journey === 0 ? {} : { options: [journeyOption(journey, LITTLE_ENDIAN)] };
    writer.writePacket({ interfaceId, time, data: bytes, originalLength: length, ...options });
    if (journey !== 0) followed.add(journey);
    packets++;
  }
  const stations = [...followed].flatMap((journey) => journeys.stationsOf(journey));
  for (const block of journeyBlocks(stations, journeys.lost, LITTLE_ENDIAN)) writer.writeBlock(block);
  writer.close();
  return { name: `${labName}.pcapng`, packets, data: Buffer.from(contents()).toString('base64') };
}
