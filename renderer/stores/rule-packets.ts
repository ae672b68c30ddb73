/** Ties rules of packet filters and packets together: the packets that a rule decided, and the rules that decided the packet that is selected. Both are known of packets that were followed. */
import { defineStore } from 'pinia';
import { computed, shallowRef, watch } from 'vue';
import type { Decision, FilterRule, Hits } from '../../main/api/filter-model.ts';
import { useConnectionStore } from './connection.ts';
import { useDockStore } from './dock.ts';
import { useFiltersStore } from './filters.ts';
import { usePacketsStore } from './packets.ts';
import { useTopologyStore } from './topology.ts';

/** How often hits are asked for while packets come, ms. */
const REFRESH = 500;
/** The filters have decided about a packet that has been in the list for so many snapshots of the rates. */
const LATEST_DECISION = 10;

/** A rule of a node's main rule set. */
export interface NodeRule {
  readonly node: string;
  readonly number: number;
  /** As pfctl lists it; absent where that is not known. */
  readonly text: string | undefined;
}

/** What a filter on the packet's way decided, with the rule that it was. */
export interface RuledDecision extends Omit<Decision, 'rule'> {
  readonly rule?: NodeRule;
}

/** Whether an answer can be had for a rule: `filters.hits` knows those of the main rule set. */
export function hasHits({ part, anchor }: FilterRule): boolean {
  return part === 'filter' && anchor === '';
}

export const useRulePacketsStore = defineStore('rulePackets', () => {
  const connection = useConnectionStore();
  const packets = usePacketsStore();
  const filters = useFiltersStore();
  const topology = useTopologyStore();
  const dock = useDockStore();
  /** The rule whose packets are listed. */
  const rule = shallowRef<NodeRule>();
  const hits = shallowRef<Hits>();
  /** Of the packet that is selected; null: it was not followed. */
  const decisions = shallowRef<readonly RuledDecision[] | null>();
  const shown = computed(() => packets.side === 'rules');
  let waiting: ReturnType<typeof setTimeout> | undefined;
  let looks = 0;

  /** Narrows the live list to the packets that a rule decided. */
  async function showPackets(node: string, { number, text }: FilterRule): Promise<void> {
    await packets.closeFile();
    // A packet counts where it passed a link.
    packets.point = '';
    rule.value = { node, number, text };
    await refresh();
    dock.show('packets', false);
  }

  function showAll(): void {
    rule.value = undefined;
    hits.value = undefined;
    packets.only = undefined;
  }

  async function refresh(): Promise<void> {
    const wanted = rule.value;
    if (wanted === undefined) return;
    const answer = await connection.request('filters.hits', { node: wanted.node, rule: wanted.number });
    if (rule.value !== wanted) return;
    if (answer === undefined) {
      showAll();
      return;
    }
    hits.value = answer;
    packets.only = new Set(answer.packets);
  }

  /** Selects a packet of the list, which shows it whatever its filters were. */
  async function showPacket(number: number): Promise<void> {
    const packet = await connection.request('packets.get', { number, capture: packets.file?.id });
    if (packet === undefined) return;
    if (packet === null) {
      connection.notify('info', `Packet ${number} is no longer kept.`);
      return;
    }
    packets.follow = false;
    if (!packets.shown.some((row) => row.number === number)) {
      showAll();
      packets.filterText = '';
      packets.expression = '';
      if (packets.file === undefined)
        packets.point = packet.summary.point.startsWith('link:') ? '' : packet.summary.point;
    }
    packets.select(number);
    dock.show('packets', false);
  }

  function showRule({ node, number }: NodeRule): void {
    filters.showRule(node, number);
    dock.show('filters', false);
  }

  async function decide(): Promise<void> {
    const number = packets.selectedNumber;
    const capture = packets.file?.id;
    if (number === undefined || !shown.value) return;
    const answer = await connection.request('filters.decisions', { number, capture });
    if (answer === undefined) return;
    // What a file tells of was decided by rules that need not be those of this lab.
    const ruled = answer === null ? null : await withRules(answer, capture === undefined);
    if (packets.selectedNumber === number && packets.file?.id === capture) decisions.value = ruled;
  }

  /** Adds the texts of the rules, as far as they are loaded now. */
  async function withRules(found: readonly Decision[], live: boolean): Promise<readonly RuledDecision[]> {
    const nodes = live ? [...new Set(found.map(({ node }) => node))] : [];
    const texts = new Map<string, string>();
    for (const node of nodes) {
      const status = await connection.request('filters.status', { node });
      for (const one of status?.rules.filter(hasHits) ?? []) texts.set(`${node} ${one.number}`, one.text);
    }
    return found.map(({ rule: number, ...decision }) => {
      if (number === undefined) return decision;
      const { node } = decision;
      return { ...decision, rule: { node, number, text: texts.get(`${node} ${number}`) } };
    });
  }

  watch(
    () => packets.rows,
    () => {
      if (rule.value === undefined || packets.file !== undefined) return;
      waiting ??= setTimeout(() => {
        waiting = undefined;
        void refresh();
      }, REFRESH);
    },
  );
  watch([() => packets.file, () => topology.opened], showAll);
  watch([() => packets.selectedNumber, () => packets.file, shown], () => {
    looks = 0;
    decisions.value = undefined;
    void decide();
  });
  watch(
    () => topology.rates,
    () => {
      if (shown.value && packets.file === undefined && looks++ < LATEST_DECISION) void decide();
    },
  );

  return { rule, hits, decisions, showPackets, showAll, showPacket, showRule };
});
