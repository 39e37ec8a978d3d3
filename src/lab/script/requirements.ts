// What a script needs and is not here, found before it runs: a script that cannot be run is skipped by name and never half
// run.

import { Sysctl } from '../../core/sysctl.js';
import type { Expression, Script, ScriptEvent } from './ast.js';
import { findCall } from './calls.js';
import { namesInCode } from './code-lexer.js';
import { constant } from './names.js';
import { NotHere, Unmet } from './outcome.js';
import { Shell } from './shell.js';

/** @throws NotHere */
export function checkRequirements(script: Script, tcpInfoNames: ReadonlySet<string>): void {
  rehearseCommands(script);
  for (const event of script.events) checkEvent(event, tcpInfoNames);
}

/** Runs all commands on settings that nobody uses. */
function rehearseCommands(script: Script): void {
  const shell = new Shell(script.path, { sysctl: new Sysctl(), stack: null, counters: () => ({}) });
  const rehearse = (text: string): void => {
    try {
      shell.run(text);
    } catch (error) {
      if (!(error instanceof Unmet)) throw error;
    }
  };
  if (script.init !== null) rehearse(script.init.text);
  for (const event of script.events) if (event.kind === 'command') rehearse(event.command);
  if (script.cleanup !== null) rehearse(script.cleanup.text);
}

function checkEvent(event: ScriptEvent, tcpInfoNames: ReadonlySet<string>): void {
  if (event.kind === 'call') {
    if (findCall(event.name) === undefined) throw new NotHere(`the call ${event.name}()`);
    for (const argument of event.args) checkExpression(argument);
    checkExpression(event.result);
  } else if (event.kind === 'packet') {
    const { packet } = event;
    if (packet.encapsulation.length > 0) throw new NotHere(`${packet.encapsulation[0]} encapsulation`);
    if (packet.ip.flowLabel !== undefined || (packet.kind === 'icmp' && packet.isIcmp6))
      throw new NotHere('IPv6');
  } else if (event.kind === 'code') {
    checkCode(event.code, tcpInfoNames);
  }
}

function checkExpression(expression: Expression): void {
  switch (expression.kind) {
    case 'word':
      if (expression.name !== 'NULL' && constant(expression.name) === undefined)
        throw new NotHere(`the constant ${expression.name}`);
      return;
    case 'or':
      checkExpression(expression.left);
      checkExpression(expression.right);
      return;
    case 'assign':
      throw new NotHere(`${expression.name}, an attribute of timestamping's statistics`);
    case 'list':
      for (const item of expression.items) checkExpression(item);
      return;
    case 'struct':
      for (const { value } of expression.fields) checkExpression(value);
      return;
    case 'call':
      if (expression.name === 'inet6_addr') throw new NotHere('IPv6');
      if (!['htons', 'inet_addr'].includes(expression.name)) throw new NotHere(`${expression.name}()`);
      return;
    default:
  }
}

function checkCode(code: string, tcpInfoNames: ReadonlySet<string>): void {
  for (const name of namesInCode(code)) {
    if (name.startsWith('tcpi_') && !tcpInfoNames.has(name)) throw new NotHere(`${name} in TCP_INFO`);
    if (/^(SK_MEMINFO|bbr_|dctcp_|tcpv_)/.test(name)) throw new NotHere(`${name} in a code block`);
  }
}
