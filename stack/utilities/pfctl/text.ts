/** Numbers and times as pfctl prints them. */

/** `01:02:03`. */
export function clockText(seconds: number): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const whole = Math.floor(seconds);
  return `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** `0 days 01:02:03`. */
export function daysText(seconds: number): string {
  return `${Math.floor(seconds / 86_400)} days ${clockText(seconds % 86_400)}`;
}

/** A counter with its rate over the time that it has been counted: 2 + 25, 14 and 16 columns. */
export function counterLine(name: string, value: number, seconds: number): string {
  const rate = seconds > 0 ? `${(value / seconds).toFixed(1).padStart(14)}/s` : ' '.repeat(14);
  return `  ${name.padEnd(25)} ${String(value).padStart(14)} ${rate}`.trimEnd();
}

/** `[ Packets: 12  Bytes: 34 ]` in columns, with what they are of. */
export function trafficLine(name: string, { packets, bytes }: { packets: number; bytes: number }): string {
  return `\t${name.padEnd(12)} [ Packets: ${String(packets).padEnd(18)} Bytes: ${String(bytes).padEnd(18)} ]`;
}
