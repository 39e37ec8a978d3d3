// Which of the running stacks a command is about: the only one, or the one that --pid or --name says. In a private network those
// beside it come first: others of the user's are seen too, but their process numbers mean nothing here.

import { basename } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { ask, type Found, findStacks, type Running } from '../control/client.js';
import { ControlDirectoryError } from '../control/directory.js';
import { pidNamespace } from '../control/pid-namespace.js';
import type { ControlRequest } from '../control/protocol.js';
import { TAPSTACK } from './called.js';
import { Refusal } from './refusal.js';

export interface WhichOptions {
  pid?: number;
  name?: string;
}

export function addWhichOptions(command: Command): Command {
  return command
    .option('--pid <number>', 'the stack of this process', wholeNumber)
    .option('--name <name>', 'the stack that calls itself so (echo, http …)');
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** A number of things to be had, of which none makes no sense. */
export function someNumber(text: string): number {
  if (!/^0*[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 1 or more.');
  return Number(text);
}

/** The stack meant. @throws Refusal when there is none, or more than one. */
export async function whichStack({ pid, name }: WhichOptions): Promise<Running> {
  const { running: all, silent } = await find();
  const fitting = all.filter((each) => (pid ?? each.pid) === each.pid && (name ?? each.name) === each.name);
  const here = pidNamespace();
  const isNear = (each: Running): boolean => each.pidNamespace === here;
  const near = fitting.filter(isNear);
  if (near.length === 1) return near[0];
  if (fitting.length === 1) return fitting[0];
  const list = (fitting.length > 0 ? fitting : all).map(
    (each) =>
      `--pid ${each.pid} --name ${each.name}   (${each.command.join(' ')})${isNear(each) ? '' : ', in another PID namespace'}`,
  );
  if (fitting.length > 1) throw new Refusal('Several stacks are running. Say which one is meant:', list);
  if (all.length > 0) {
    const wanted = [
      ...(pid === undefined ? [] : [`pid ${pid}`]),
      ...(name === undefined ? [] : [`name ${name}`]),
    ];
    throw new Refusal(`No running stack has ${wanted.join(' and ')}. These are there:`, list);
  }
  if (silent.length > 0) {
    const numbers = silent.map((path) => Number.parseInt(basename(path), 10));
    throw new Refusal(
      `No stack of yours answers; process ${numbers.join(', ')} has one, but is stopped, or busy with something else.`,
      numbers.map((number) => `if it is stopped: kill -CONT ${number}`),
    );
  }
  throw new Refusal('No stack of yours is running.', [
    `start one: ${TAPSTACK} echo, http, run …; or \`${TAPSTACK} lab\`, which has one beside its shell`,
    "a program of your own is seen after serveControl(stack, { name }) of 'tapstack/control'",
    'programs of another user are not yours to see: run this as that user',
  ]);
}

async function find(): Promise<Found> {
  try {
    return await findStacks();
  } catch (error) {
    if (error instanceof ControlDirectoryError) throw new Refusal(`${error.message}.`, [], 1, error);
    throw error;
  }
}

/** One question to the stack meant. */
export async function askStack<T>(which: WhichOptions, request: ControlRequest): Promise<T> {
  return talk(await whichStack(which), (path) => ask<T>(path, request));
}

/** What goes wrong with a running program is told as such. */
export async function talk<T>(stack: Running, talking: (path: string) => Promise<T>): Promise<T> {
  try {
    return await talking(stack.path);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const { message } = error as Error;
    throw new Refusal(
      `The stack of process ${stack.pid} (${stack.name}) did not do it: ${message}.`,
      [],
      1,
      error,
    );
  }
}
