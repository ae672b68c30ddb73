/** The filter expression that is being written above the packet list, its program, and what that does with the packet that is selected. */
import { defineStore } from 'pinia';
import { computed, ref, shallowRef, watch } from 'vue';
import type { CompiledExpression, ExplainedPacket } from '../../main/api/filter-model.ts';
import type { BpfNames } from '../expressions/bpf-language.ts';
import { labNames } from '../expressions/lab-names.ts';
import { useConnectionStore } from './connection.ts';
import { useFiltersStore } from './filters.ts';
import { usePacketsStore } from './packets.ts';
import { useTopologyStore } from './topology.ts';

/** How long after a key the text is compiled, ms. */
const COMPILE_AFTER = 120;

/** An expression that compiles, and its program. */
interface Program {
  readonly expression: string;
  readonly linkType: string;
  readonly listing: readonly string[];
}

export const useExpressionStore = defineStore('expression', () => {
  const connection = useConnectionStore();
  const packets = usePacketsStore();
  const topology = useTopologyStore();
  const filters = useFiltersStore();
  const text = ref('');
  const optimize = ref(true);
  /** What the compiler says of the text. */
  const compiled = shallowRef<CompiledExpression>();
  /** Of the last text without an error. */
  const program = shallowRef<Program>();
  const explained = shallowRef<ExplainedPacket>();
  /** Why the packet that is selected cannot be explained. */
  const fault = ref('');
  /** The step that is looked at. */
  const step = ref(0);
  let waiting: ReturnType<typeof setTimeout> | undefined;

  const shown = computed(() => packets.language === 'bpf');
  const programShown = computed(() => shown.value && packets.side === 'program');
  const error = computed(() => (compiled.value?.ok === false ? compiled.value.error : undefined));
  const isApplied = computed(() => text.value.trim() === packets.expression);
  const names = computed<BpfNames>(() => ({
    linkType: program.value?.linkType,
    ...labNames(topology.lab),
    services: filters.services,
  }));
  const lastStep = computed(() => Math.max(0, (explained.value?.steps.length ?? 0) - 1));

  async function compile(): Promise<CompiledExpression | undefined> {
    clearTimeout(waiting);
    const written = text.value;
    const capture = packets.file?.id;
    const target = capture === undefined ? { point: packets.point } : { capture };
    const answer = await connection.request('expression.compile', {
      expression: written,
      optimize: optimize.value,
      ...target,
    });
    if (answer === undefined || written !== text.value) return undefined;
    compiled.value = answer;
    if (answer.ok) program.value = { expression: written, ...answer };
    return answer;
  }

  /** Filters the list by the text, if that is an expression. */
  async function apply(): Promise<void> {
    const answer = await compile();
    if (answer?.ok === true) packets.expression = text.value.trim();
  }

  async function clear(): Promise<void> {
    text.value = '';
    await apply();
  }

  async function explain(): Promise<void> {
    const number = packets.selectedNumber;
    const capture = packets.file?.id;
    const wanted = program.value;
    if (!programShown.value || number === undefined || wanted === undefined) {
      explained.value = undefined;
      return;
    }
    const params = { expression: wanted.expression, number, capture, optimize: optimize.value };
    let answer: ExplainedPacket | null = null;
    let reason = '';
    try {
      answer = await connection.requireSession().request('expression.explain', params);
    } catch (failure) {
      reason = failure instanceof Error ? failure.message : String(failure);
    }
    if (packets.selectedNumber !== number || program.value !== wanted) return;
    explained.value = answer ?? undefined;
    fault.value = reason;
    step.value = 0;
  }

  watch(text, () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => void compile(), COMPILE_AFTER);
  });
  watch(
    [shown, optimize, () => packets.point, () => packets.file],
    () => {
      if (!shown.value) return;
      void filters.readWords();
      void compile();
    },
    { immediate: true },
  );
  watch([programShown, program, () => packets.selectedNumber, () => packets.file], () => void explain());

  return {
    text,
    optimize,
    compiled,
    program,
    explained,
    fault,
    step,
    lastStep,
    shown,
    programShown,
    error,
    isApplied,
    names,
    apply,
    clear,
  };
});
