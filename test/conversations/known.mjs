// Differences that docs/differences.md tells of: the first words of a row, and how what it says looks in a conversation.

const MSG_OOB = 1;
const MSG_MORE = 0x8000;
const MSG_ZEROCOPY = 0x4000000;
const POLLPRI = 2;
const POLLOUT = 4;
const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const TCP_DEFER_ACCEPT = 9;
const SO_RCVBUF = 8;

const answerOf = (line) => line.split(' | ')[0];
const segmentsOf = (line) => line.split(' | ').slice(1);
const withoutBlocks = (line) => line.replace(/ sack( -?\d+)+/g, '');
const withoutBareAcks = (line) => line.replace(/ \| \. -?\d+\(0\) ack[^|]*?(?= \||$)/g, '');
/** Where each segment of a line begins. */
const placesOf = (line) => segmentsOf(line).map((segment) => segment.replace(/\(.*/, '').replace('P', ''));

/** Whether a program has written with `flag` before step `at`. */
const written = ({ conversation, at }, flag) =>
  conversation.steps.slice(0, at).some(({ call }) => call?.[0] === 'write' && (call[2] & flag) !== 0);

/** Whether the last segments of step `at` and before, back to one that was answered, bring data and acknowledge nothing new. */
function bringsDataOnly({ conversation, at }) {
  const heard = conversation.steps.slice(0, at + 1).filter(({ segment }) => segment?.flags.includes('.'));
  const [before, last] = heard.slice(-2).map(({ segment }) => segment);
  return last !== undefined && last.length > 0 && last.ack === before.ack;
}

/** Whether the peer has acknowledged, before step `at`, just to where it had selected what follows: it has forgotten that. */
function reneged({ conversation, at }) {
  const heard = conversation.steps.slice(0, at).flatMap(({ segment }) => segment ?? []);
  return heard.some(({ ack }, i) =>
    heard.slice(0, i).some(({ sack }) => sack?.some(([start, end]) => start <= ack && ack < end)),
  );
}

/** Whether a segment is as far beside the ACK of a handshake in its number as in its acknowledgement. */
const isAsFarBesideInBoth = (segment) => segment?.seq > 0 && segment.seq === segment.ack;

/** Whether a program has said how large its receive buffer is to be. */
const fixesReceiveBuffer = ({ options }) =>
  options.some(([level, name]) => level === SOL_SOCKET && name === SO_RCVBUF);

/** Whether, before step `at`, a segment has come again that brought something new as well. */
function overlapped({ conversation, at }) {
  const heard = conversation.steps.slice(0, at).flatMap(({ segment }) => segment ?? []);
  return heard.some(({ seq, length = 0 }, i) =>
    heard
      .slice(0, i)
      .some((old) => seq < old.seq + (old.length ?? 0) && old.seq + (old.length ?? 0) < seq + length),
  );
}

/** Names of what one of two lines of counters tells otherwise, or alone. */
function differingNames(kernel, stack) {
  const [ours, theirs] = [stack.split(' '), kernel.split(' ')];
  const alone = [
    ...ours.filter((word) => !theirs.includes(word)),
    ...theirs.filter((word) => !ours.includes(word)),
  ];
  return alone.map((word) => word.split('=')[0]);
}

/** `step`: the one that is answered differently. */
const KNOWN = [
  [
    'a SYN that crosses ours',
    ({ step, conversation, kernel, stack }) =>
      conversation.role === 'client' &&
      step.segment?.flags.replace(/[^SRA.]/g, '') === 'S' &&
      [kernel, stack].every((line) => line.includes('| S. -1(0)')),
  ],
  [
    "a handshake's acknowledgement that bears a SYN",
    ({ conversation: { role, steps }, at, step, kernel, stack }) =>
      role === 'server' &&
      step.call?.[0] === 'poll' &&
      kernel === '0' &&
      stack === String(POLLOUT) &&
      steps.slice(0, at).some(({ segment }) => segment && /S.*\./.test(segment.flags)),
  ],
  [
    'an acknowledgement of nothing, while SYNs that crossed',
    ({ conversation: { role, steps }, at, step, kernel, stack }) =>
      role === 'client' &&
      step.segment?.ack === -1 &&
      steps.slice(0, at).some(({ segment }) => segment?.flags === 'S') &&
      stack.includes('| R -1(0)') &&
      !kernel.includes('| R '),
  ],
  [
    'a FIN behind a hole',
    ({ conversation, at, kernel, stack }) =>
      withoutBlocks(kernel) === withoutBlocks(stack) &&
      conversation.steps.slice(0, at + 1).some(({ segment }) => segment?.flags.includes('F')),
  ],
  [
    'an urgent byte that is missing',
    ({ conversation, at, step, kernel, stack }) =>
      conversation.steps.slice(0, at).some(({ segment }) => segment?.flags.includes('U')) &&
      ((step.call?.[0] === 'poll' && (answerOf(kernel) ^ answerOf(stack)) === POLLPRI) ||
        (step.call?.[0] === 'read' && (step.call[2] & MSG_OOB) !== 0)),
  ],
  [
    'what segments weigh in the receive buffer',
    ({ step, kernel, stack }) =>
      step.call?.[0] === 'counters' &&
      differingNames(kernel, stack).every((name) => name === 'TcpExt.TCPWantZeroWindowAdv'),
  ],
  [
    // A fixed buffer is full, and packets are collapsed; nothing is lost by that.
    'what segments weigh in the receive buffer',
    ({ conversation, step, kernel, stack }) =>
      step.call?.[0] === 'counters' &&
      fixesReceiveBuffer(conversation) &&
      differingNames(kernel, stack).every((name) =>
        ['TcpExt.TCPWantZeroWindowAdv', 'TcpExt.PruneCalled'].includes(name),
      ),
  ],
  [
    'what segments weigh in the receive buffer',
    ({ conversation, kernel, stack }) =>
      fixesReceiveBuffer(conversation) && withoutBareAcks(kernel) === withoutBareAcks(stack),
  ],
  [
    // It opens the window further here, and so acknowledges at once.
    'what segments weigh in the receive buffer',
    (difference) =>
      difference.step.segment?.length > 0 &&
      difference.kernel === '' &&
      withoutBareAcks(difference.stack) === '' &&
      overlapped(difference),
  ],
  [
    'data that acknowledges nothing new',
    (difference) =>
      bringsDataOnly(difference) &&
      (withoutBlocks(difference.kernel) === withoutBlocks(difference.stack) || written(difference, MSG_MORE)),
  ],
  [
    'the fast path of an established connection',
    ({ conversation: { role, options, steps }, at, step, kernel, stack }) =>
      role === 'client' &&
      step.segment !== undefined &&
      options.some(([level, name]) => level === IPPROTO_TCP && name === TCP_DEFER_ACCEPT) &&
      steps.slice(0, at).every(({ segment }) => !segment || segment.flags === 'S.') &&
      stack === '' &&
      withoutBareAcks(kernel) === '',
  ],
  [
    'the fast path of an established connection',
    ({ conversation: { role, steps }, at, step, kernel, stack }) =>
      role === 'client' &&
      step.call?.[0] === 'error' &&
      kernel === '0' &&
      stack !== '0' &&
      steps.slice(0, at).some(({ icmp }) => icmp !== undefined),
  ],
  [
    '`MSG_ZEROCOPY`',
    (difference) =>
      written(difference, MSG_ZEROCOPY) &&
      String(placesOf(difference.kernel)) === String(placesOf(difference.stack)),
  ],
  [
    '`TCPOFOMerge`, `TCPDSACKOfoSent`',
    ({ step, kernel, stack }) =>
      step.call?.[0] === 'counters' &&
      differingNames(kernel, stack).every((name) => name === 'TcpExt.TCPDSACKOfoSent'),
  ],
  [
    'what an ICMP error makes a socket send again',
    ({ conversation: { steps }, at, kernel, stack }) => {
      const told = steps.slice(0, at).findIndex(({ icmp }) => icmp?.type === 3 && icmp.code === 4);
      if (told < 0) return false;
      const written = steps
        .slice(0, told)
        .reduce((sum, { call }) => sum + (call?.[0] === 'write' ? call[1] : 0), 0);
      const fresh = (line) =>
        placesOf(line).filter((place) => Number(/ (-?\d+)/.exec(place)?.[1]) >= written);
      return (
        kernel.replaceAll('P.', '.') === stack.replaceAll('P.', '.') ||
        (answerOf(kernel) === answerOf(stack) && String(fresh(kernel)) === String(fresh(stack)))
      );
    },
  ],
  [
    'SYN cookies',
    ({ conversation, step, kernel, stack }) =>
      (conversation.sysctl.tcp_syncookies !== undefined || isAsFarBesideInBoth(step.segment)) &&
      step.segment?.flags.includes('.') &&
      /\| (\d: )?R /.test(stack) &&
      !/\| (\d: )?R /.test(kernel),
  ],
  [
    'bytes a socket takes before',
    ({ step, kernel, stack }) =>
      ['write', 'sendto'].includes(step.call?.[0]) &&
      answerOf(kernel) !== answerOf(stack) &&
      Number(answerOf(kernel)) > 0 &&
      Number(answerOf(stack)) > 0,
  ],
  [
    'a segment that a timeout sends again after the loss was undone',
    ({ step, kernel, stack }) =>
      step.call?.[0] === 'info' &&
      differingNames(kernel, stack).includes('retrans') &&
      differingNames(kernel, stack).every((name) => ['retrans', 'snd_cwnd'].includes(name)),
  ],
  [
    'what a byte in the receive buffer weighs',
    ({ conversation, at, step, kernel, stack }) =>
      step.call?.[0] === 'read' &&
      answerOf(kernel) === answerOf(stack) &&
      conversation.steps.slice(0, at).some(({ segment }) => segment?.ip?.cuts !== undefined),
  ],
  [
    'segments that are selected side by side',
    ({ conversation, at, kernel, stack }) =>
      kernel.replaceAll('P.', '.') === stack.replaceAll('P.', '.') &&
      conversation.steps.slice(0, at).some(({ segment }) => segment?.sack !== undefined),
  ],
  [
    'segments that are selected side by side',
    (difference) =>
      difference.step.call?.[0] === 'info' &&
      differingNames(difference.kernel, difference.stack).every((name) =>
        ['backoff', 'delivered', 'reord_seen', 'reordering'].includes(name),
      ) &&
      reneged(difference),
  ],
];

/** First words of the rows. */
export const KNOWN_ROWS = [...new Set(KNOWN.map(([row]) => row))];

/** The row that tells of a difference in step `at`, between two lines; undefined: none does. */
export function knownAs(conversation, at, kernel, stack) {
  const difference = { conversation, at, step: conversation.steps[at], kernel, stack };
  return KNOWN.find(([, is]) => is(difference))?.[0];
}
