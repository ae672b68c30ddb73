/** The session with the host, whether it is open, and the notices that its answers give the user. */
import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type { CommandName, CommandParams, CommandResult } from '../../main/api/contract.ts';
import type { Session } from '../api/session.ts';

export interface Notice {
  readonly id: number;
  readonly kind: 'error' | 'info';
  readonly text: string;
}

/** How long a notice stays, in milliseconds; errors stay until they are closed. */
const noticeTime = 5_000;
const maxNotices = 4;

export const useConnectionStore = defineStore('connection', () => {
  const session = shallowRef<Session>();
  const state = ref<'connecting' | 'open' | 'lost'>('connecting');
  const notices = ref<readonly Notice[]>([]);
  let lastNotice = 0;

  function use(newSession: Session): void {
    session.value = newSession;
    newSession.onOpen(() => {
      state.value = 'open';
    });
    newSession.onLost(() => {
      state.value = 'lost';
    });
  }

  /** The session; present from before the first component is made. */
  function requireSession(): Session {
    if (session.value === undefined) throw new Error('the session has not been set up');
    return session.value;
  }

  function notify(kind: Notice['kind'], text: string): void {
    const id = ++lastNotice;
    notices.value = [...notices.value, { id, kind, text }].slice(-maxNotices);
    if (kind === 'info') setTimeout(() => dismiss(id), noticeTime);
  }

  function dismiss(id: number): void {
    notices.value = notices.value.filter((notice) => notice.id !== id);
  }

  /** Sends a command; a failure becomes a notice and `undefined`. */
  async function request<C extends CommandName>(
    command: C,
    params: CommandParams<C>,
  ): Promise<CommandResult<C> | undefined> {
    try {
      return await requireSession().request(command, params);
    } catch (error) {
      notify('error', error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  return { state, notices, use, requireSession, notify, dismiss, request };
});
