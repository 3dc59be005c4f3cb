/**
 * Options of commands that log in to a cluster with security on, and where its password comes from.
 *
 * A password is never an argument, which everyone on the machine could read. It comes from a file, from
 * a variable of the environment, from standard input, or is asked for where somebody sits at a terminal.
 */

import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { utf8ToByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { Credentials } from '../client/credentials.ts';
import { askPassword, nextInputLine } from './password-input.ts';

/** As commander names the options of one login. */
export interface LoginArguments {
  readonly user?: string;
  readonly passwordFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: readonly string[];
}

/** With a word before each, as `--from-user`, where a command has several logins. */
export type LoginArgumentsOf<Word extends string> = {
  readonly [Name in keyof LoginArguments as `${Word}${Capitalize<Name>}`]?: LoginArguments[Name];
};

export function withLogin(command: Command, word?: string): Command {
  const flag = (name: string): string => `--${word === undefined ? '' : `${word}-`}${name}`;
  return command
    .option(flag('user <name>'), 'log in, where security is on')
    .option(
      flag('password-file <file>'),
      `a file with the password, or - for standard input; else ${variableOf(word)} has it`,
    )
    .option(flag('ca <file>'), 'PEM: the authorities that vouch for the nodes')
    .option(flag('cert <file>'), 'PEM: a certificate to show, with its key')
    .option(flag('key <file>'), 'PEM: the key of the certificate')
    .option(
      flag('server-name <name>'),
      'in the certificates of the nodes, where that is not their host; several times',
      collect,
    );
}

/** Without the word that stands before each. */
export function loginOf<Word extends string>(
  options: LoginArgumentsOf<Word>,
  word: Word,
): LoginArguments {
  const named = options as Readonly<Record<string, unknown>>;
  const names = ['user', 'passwordFile', 'ca', 'cert', 'key', 'serverName'] as const;
  return Object.fromEntries(
    names.map((name) => [name, named[`${word}${name.charAt(0).toUpperCase()}${name.slice(1)}`]]),
  );
}

/**
 * Undefined where no user is named; `login` may hold the command's other options too. Rejects with
 * `config`, and never with a password in it.
 */
export async function credentialsOf(
  login: LoginArguments,
  word?: string,
): Promise<Credentials | undefined> {
  const { user, passwordFile, ca, cert, key, serverName } = login;
  const flag = (name: string): string => `--${word === undefined ? '' : `${word}-`}${name}`;
  if (user === undefined) {
    const others = [passwordFile, ca, cert, key, serverName];
    if (others.every((value) => value === undefined)) return undefined;
    throw new Fault('config', `a login needs ${flag('user')}`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new Fault('config', `${flag('cert')} and ${flag('key')} go together`);
  }
  const [caPem, certPem, keyPem] = await Promise.all([ca, cert, key].map(readPem));
  return {
    user: utf8ToByteString(user),
    password: utf8ToByteString(await passwordOf(login, { user, word })),
    ca: caPem,
    cert: certPem,
    key: keyPem,
    serverNames: serverName ?? [],
  };
}

async function passwordOf(
  { passwordFile, cert }: LoginArguments,
  { user, word }: { readonly user: string; readonly word: string | undefined },
): Promise<string> {
  const whose = `password of ${user}${word === undefined ? '' : ` (${word})`}`;
  if (passwordFile === '-') {
    return process.stdin.isTTY ? askPassword(whose) : nextInputLine(whose);
  }
  if (passwordFile !== undefined) return readPassword(passwordFile);
  const variable = variableOf(word);
  const named = process.env[variable];
  if (named !== undefined) return named;
  if (cert !== undefined) return '';
  if (process.stdin.isTTY) return askPassword(whose);
  throw new Fault('config', `the ${whose} is in no file, nor in ${variable}`);
}

function variableOf(word: string | undefined): string {
  return ['VERTEBRA', ...(word === undefined ? [] : [word.toUpperCase()]), 'PASSWORD'].join('_');
}

/** Of a file, without the end of its line. */
export async function readPassword(path: string): Promise<string> {
  return (await readWhole(path)).toString('utf8').replace(/\r?\n$/, '');
}

export async function readPem(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : readWhole(path);
}

async function readWhole(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Fault('config', `${path} cannot be read: ${code}`, { cause: error });
  }
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
