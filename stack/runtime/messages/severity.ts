/**
 * Severities of the system log, as slogf() of Neutrino has them: 0 is the gravest.
 */
export const SLOG = {
  shutdown: 0,
  critical: 1,
  error: 2,
  warning: 3,
  notice: 4,
  info: 5,
  debug1: 6,
  debug2: 7,
} as const;
export type Severity = (typeof SLOG)[keyof typeof SLOG];
