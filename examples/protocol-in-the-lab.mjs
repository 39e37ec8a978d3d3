// A protocol of one's own under test: a counter server that answers "+N" by the sum so far. Ten seeds, each a network that loses,
// reorders and is cut for a minute, in virtual time.
import assert from 'node:assert/strict';
import { AF_INET, SOCK_STREAM } from 'tapstack';
import { Lab } from 'tapstack/lab';

const ANY = { family: AF_INET, address: '0.0.0.0', port: 4000 };

/** Lines as they come. A read may end anywhere: inside a line, or behind several. */
async function* lines({ blocking }, fd) {
  const buffer = new Uint8Array(1024);
  let text = '';
  for (let count = await blocking.read(fd, buffer); count > 0; count = await blocking.read(fd, buffer)) {
    text += new TextDecoder().decode(buffer.subarray(0, count));
    const complete = text.split('\n');
    text = complete.pop();
    yield* complete;
  }
}

async function server(stack) {
  const listener = stack.sys.socket(AF_INET, SOCK_STREAM);
  stack.sys.bind(listener, ANY);
  stack.sys.listen(listener, 1);
  const fd = await stack.blocking.accept(listener);
  let sum = 0;
  for await (const line of lines(stack, fd)) {
    sum += Number(line);
    await stack.blocking.write(fd, new TextEncoder().encode(`${sum}\n`));
  }
  stack.sys.close(fd);
}

async function client(stack, progress) {
  const fd = stack.sys.socket(AF_INET, SOCK_STREAM);
  assert.equal(await stack.blocking.connect(fd, { ...ANY, address: '10.0.0.2' }), 0);
  const answers = lines(stack, fd);
  for (let n = 1, sum = 1; n <= 50; n++, sum += n) {
    await stack.blocking.write(fd, new TextEncoder().encode(`+${n}\n`));
    assert.equal((await answers.next()).value, String(sum));
    progress.answers = n;
  }
  stack.sys.close(fd);
}

for (let seed = 1; seed <= 10; seed++) {
  const lab = new Lab({ seed });
  const cable = lab.cable({ delayUs: 10_000, loss: 0.1, reorder: 0.05, reorderUs: 15_000 });
  const a = lab.stack({ link: cable.a, address: '10.0.0.1/24' });
  const b = lab.stack({ link: cable.b, address: '10.0.0.2/24' });
  const progress = { answers: 0 };
  const done = Promise.all([server(b), client(a, progress)]);
  await lab.run({ until: () => progress.answers >= 20 });
  cable.partition();
  await lab.pass(60_000);
  cable.heal();
  await lab.run({ until: done });
  await lab.close();
}
console.log('ten networks, fifty answers each, all right');
