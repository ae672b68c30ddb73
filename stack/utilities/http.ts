/**
 * http: fetches and sends over HTTP with Node's own client on the node's sockets.
 */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import http from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { readAll } from '../kernel/byte-stream.ts';
import * as files from '../kernel/files.ts';
import { O_CREAT, O_TRUNC, O_WRONLY } from '../kernel/io-message.ts';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { httpAgent } from '../socket/http-adapter.ts';
import { digestBody } from './body-digest.ts';
import { CommandError, command, numberOption } from './command.ts';
import type { Arguments } from './command.ts';

const VERBS = ['get', 'head', 'post', 'put'];

function parseUrl(text: string): URL {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) throw new UsageError(`'${text}' is not a URL such as http://10.0.0.2/`);
  const url = new URL(full);
  if (url.protocol !== 'http:') throw new UsageError(`only http: URLs can be fetched, not ${url.protocol}`);
  return url;
}

/** Data to send: as given, a file's with @FILE, standard input's with @-. */
async function requestBody(self: Process, data: string | undefined): Promise<Uint8Array | undefined> {
  if (data === undefined) return undefined;
  if (data === '@-') return readAll(self.stdin, self.signal);
  return data.startsWith('@') ? files.readFile(self, data.slice(1)) : Buffer.from(data);
}

function headersOf(args: Arguments): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of args.values('H')) {
    const colon = line.indexOf(':');
    if (colon <= 0) throw new UsageError(`-H needs 'Name: value', not '${line}'`);
    headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return headers;
}

async function exchange(
  self: Process,
  request: ClientRequest,
  body: Uint8Array | undefined,
): Promise<IncomingMessage> {
  const answer = once(request, 'response', { signal: self.signal });
  request.end(body);
  const [response] = (await answer) as [IncomingMessage];
  return response;
}

function headText(response: IncomingMessage): string {
  const lines = [statusLine(response)];
  const raw = response.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) lines.push(`${raw[i]!}: ${raw[i + 1]!}`);
  return `${lines.join('\n')}\n\n`;
}

function statusLine({ httpVersion, statusCode, statusMessage }: IncomingMessage): string {
  return `HTTP/${httpVersion} ${statusCode ?? 0} ${statusMessage ?? ''}`;
}

async function saveBody(self: Process, response: IncomingMessage, path: string): Promise<string> {
  const fd = await files.open(self, path, O_WRONLY | O_CREAT | O_TRUNC);
  try {
    return await digestBody(response, (chunk) => files.write(self, fd, chunk));
  } finally {
    await files.close(self, fd);
  }
}

async function printResponse(
  self: Process,
  args: Arguments,
  verb: string,
  response: IncomingMessage,
): Promise<void> {
  const isQuiet = args.has('q');
  const path = args.value('o');
  if (args.has('i') || verb === 'head') await self.stdout.write(headText(response));
  if (path !== undefined) {
    const summary = await saveBody(self, response, path);
    await self.stdout.write(
      isQuiet ? `${statusLine(response)} ${summary}\n` : `${summary} saved to ${path}\n`,
    );
    return;
  }
  const summary = await digestBody(response, async (chunk) => {
    if (!isQuiet) await self.stdout.write(chunk);
  });
  if (isQuiet) await self.stdout.write(`${statusLine(response)} ${summary}\n`);
}

function explain(self: Process, url: URL, error: unknown): Error {
  if (self.signal.aborted) return new SystemError(ERRNO.EINTR, url.href);
  if (error instanceof SystemError || error instanceof UsageError) return error;
  // What Node's client reports, such as a response that is not HTTP.
  return new CommandError(`${url.href}: ${error instanceof Error ? error.message : String(error)}`);
}

async function run(self: Process, args: Arguments): Promise<number> {
  const [verb, target, ...more] = args.operands;
  if (verb === undefined || !VERBS.includes(verb)) {
    throw new UsageError(`say what to do: ${VERBS.join(', ')}${verb === undefined ? '' : `; not '${verb}'`}`);
  }
  if (target === undefined) throw new UsageError('a URL is missing');
  if (more.length > 0) throw new UsageError(`'${more[0]!}' is too much`);
  const url = parseUrl(target);
  const headers = headersOf(args);
  const wait = numberOption(args, 'w', { min: 0, max: 86_400, fallback: 0, whole: false });
  const body = await requestBody(self, args.value('d'));
  const agent = httpAgent(self);
  const request = http.request(url, {
    agent,
    method: verb.toUpperCase(),
    headers,
    signal: self.signal,
    // As an option it counts while connecting as well; request.setTimeout() would begin when connected.
    ...(wait > 0 && { timeout: wait * 1000 }),
  });
  request.on('timeout', () => request.destroy(new SystemError(ERRNO.ETIMEDOUT, url.host)));
  try {
    const response = await exchange(self, request, body);
    await printResponse(self, args, verb, response);
    const status = response.statusCode ?? 0;
    if (status < 400) return 0;
    await self.stderr.write(`http: ${url.href}: ${status} ${response.statusMessage ?? ''}\n`);
    return 1;
  } catch (error) {
    throw explain(self, url, error);
  } finally {
    agent.destroy();
  }
}

export const httpClient = command({
  name: 'http',
  usage:
    '{get|head} [-iq] [-H header]... [-o file] [-w seconds] URL\n' +
    '{post|put} [-iq] [-d data|@file|@-] [-H header]... [-o file] [-w seconds] URL',
  summary: 'fetch from and send to web servers',
  options: 'iqd:H:o:w:',
  optionsAnywhere: true,
  run,
});
