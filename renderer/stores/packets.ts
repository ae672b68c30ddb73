/**
 * The packet list: the live stream of the lab, or a capture file opened for viewing. Rows are plain objects in
 * arrays that are replaced, never changed, so that Vue watches the array and not each of thousands of packets.
 */
import { defineStore } from 'pinia';
import { computed, ref, shallowRef, watch } from 'vue';
import { maxCaptureFileBytes, maxCapturePackets, maxSummariesPerRequest } from '../../main/api/contract.ts';
import type { OpenedCapture, PacketDetail, PacketSubscription, PacketSummary } from '../../main/api/model.ts';
import { base64FromBytes, bytesFromBase64 } from '../api/base64.ts';
import { parsePacketFilter } from '../packets/packet-filter.ts';
import { useConnectionStore } from './connection.ts';
import { useTopologyStore } from './topology.ts';

/** Rows kept of the live stream: as many as the host keeps, more while the reader looks at older ones. */
const liveLimit = 5_000;
const pausedLimit = 20_000;

/** In what the filter above the list is written: words of the columns, or pcap-filter(7). */
export type FilterLanguage = 'words' | 'bpf';

/** What is shown beside the list. */
export type PacketSide = 'layers' | 'journey' | 'rules' | 'program';

export const usePacketsStore = defineStore('packets', () => {
  const connection = useConnectionStore();
  const topology = useTopologyStore();
  const live = shallowRef<readonly PacketSummary[]>([]);
  const fileRows = shallowRef<readonly PacketSummary[]>([]);
  const file = shallowRef<OpenedCapture>();
  const lost = ref(0);
  const points = shallowRef<readonly string[]>([]);
  /** The one capture point shown; empty for all. */
  const point = ref('');
  const filterText = ref('');
  const language = ref<FilterLanguage>('words');
  /** The filter expression that was applied last; empty for none. */
  const expression = ref('');
  /** Packets of the file that the expression accepts. */
  const accepted = shallowRef<ReadonlySet<number>>();
  const side = ref<PacketSide>('layers');
  /** Numbers of the packets that the list is narrowed to, whatever the filter; absent: it is not. */
  const only = shallowRef<ReadonlySet<number>>();
  const follow = ref(true);
  const selectedNumber = ref<number>();
  const detail = shallowRef<PacketDetail>();
  const detailGone = ref(false);

  const rows = computed(() => (file.value === undefined ? live.value : fileRows.value));
  /** The expression that chooses packets now. */
  const applied = computed(() => (language.value === 'bpf' ? expression.value : ''));
  const matching = computed(() => {
    const chosen = accepted.value;
    if (language.value === 'bpf')
      // The host sends no live packets but those that the expression accepts.
      return chosen === undefined ? rows.value : rows.value.filter(({ number }) => chosen.has(number));
    if (filterText.value.trim() === '') return rows.value;
    return rows.value.filter(parsePacketFilter(filterText.value));
  });
  const shown = computed(() => {
    const wanted = only.value;
    return wanted === undefined ? matching.value : matching.value.filter(({ number }) => wanted.has(number));
  });
  /** The time that the first column counts from. */
  const origin = computed(() => rows.value[0]?.time ?? '0');

  function connect(): void {
    const session = connection.requireSession();
    session.on('packets', (batch) => {
      lost.value = batch.dropped + batch.skipped;
      append(batch.packets);
    });
    session.onOpen(() => {
      void subscribe();
      void refreshPoints();
    });
    session.on('lab.changed', () => void refreshPoints());
  }

  async function subscribe(): Promise<void> {
    live.value = [];
    await connection.request('packets.subscribe', subscription());
  }

  /** Which live packets are wanted. */
  function subscription(): PacketSubscription {
    const points = point.value === '' ? [] : [point.value];
    return applied.value === '' ? { points } : { points, filter: applied.value };
  }

  /** Has the host choose packets of the file by the expression. */
  async function choose(): Promise<void> {
    const [capture, wanted] = [file.value?.id, applied.value];
    accepted.value = undefined;
    if (capture === undefined || wanted === '') return;
    const numbers = await connection.request('expression.select', { expression: wanted, capture });
    if (numbers !== undefined && file.value?.id === capture && applied.value === wanted)
      accepted.value = new Set(numbers);
  }

  function append(packets: readonly PacketSummary[]): void {
    const limit = follow.value ? liveLimit : pausedLimit;
    live.value = [...live.value, ...packets].slice(-limit);
  }

  async function refreshPoints(): Promise<void> {
    points.value = (await connection.request('packets.points', {})) ?? [];
    if (point.value !== '' && !points.value.includes(point.value)) point.value = '';
  }

  async function clear(): Promise<void> {
    await connection.request('packets.clear', {});
    live.value = [];
    select(undefined);
  }

  function select(number: number | undefined): void {
    selectedNumber.value = number;
  }

  async function loadDetail(number: number | undefined): Promise<void> {
    if (number === undefined) {
      detail.value = undefined;
      detailGone.value = false;
      return;
    }
    const answer = await connection.request('packets.get', { number, capture: file.value?.id });
    if (selectedNumber.value !== number) return;
    detail.value = answer ?? undefined;
    detailGone.value = answer === null;
  }

  async function exportLive(): Promise<void> {
    const exported = await connection.request('packets.export', subscription());
    if (exported === undefined) return;
    download(exported.name, bytesFromBase64(exported.data));
    connection.notify('info', `${exported.packets} packets exported as ${exported.name}`);
  }

  async function openFile(chosen: File): Promise<void> {
    if (chosen.size > maxCaptureFileBytes) {
      const limit = maxCaptureFileBytes / (1024 * 1024);
      connection.notify(
        'error',
        `${chosen.name} is larger than ${limit} MiB, the most this window can open.`,
      );
      return;
    }
    const data = base64FromBytes(new Uint8Array(await chosen.arrayBuffer()));
    const opened = await connection.request('captures.open', { name: chosen.name, data });
    if (opened === undefined) return;
    await closeFile();
    file.value = opened;
    follow.value = false;
    if (opened.warning !== undefined) connection.notify('error', `${opened.name}: ${opened.warning}`);
    await loadFile(opened);
  }

  async function loadFile(opened: OpenedCapture): Promise<void> {
    const total = Math.min(opened.packets, maxCapturePackets);
    for (let from = 0; from < total && file.value === opened; from += maxSummariesPerRequest) {
      const count = Math.min(maxSummariesPerRequest, total - from);
      const page = await connection.request('captures.list', { capture: opened.id, from, count });
      if (page === undefined || file.value !== opened) return;
      fileRows.value = [...fileRows.value, ...page];
    }
    if (opened.packets > total) {
      connection.notify(
        'info',
        `${opened.name} has ${opened.packets} packets; the first ${total} are shown.`,
      );
    }
  }

  async function closeFile(): Promise<void> {
    const opened = file.value;
    if (opened === undefined) return;
    file.value = undefined;
    fileRows.value = [];
    select(undefined);
    follow.value = true;
    await connection.request('captures.close', { capture: opened.id });
  }

  watch(selectedNumber, (number) => void loadDetail(number));
  watch([point, applied], () => void subscribe());
  watch([file, applied], () => void choose());
  watch(
    () => topology.opened,
    () => {
      select(undefined);
      void subscribe();
      void refreshPoints();
    },
  );

  return {
    rows,
    shown,
    origin,
    file,
    lost,
    points,
    point,
    filterText,
    language,
    expression,
    side,
    only,
    follow,
    selectedNumber,
    detail,
    detailGone,
    connect,
    refreshPoints,
    clear,
    select,
    exportLive,
    openFile,
    closeFile,
  };
});

function download(name: string, bytes: Uint8Array<ArrayBuffer>): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(url);
}
