// Whether a difference is only one of when: the same segments, but a timer's in another step. Time is real for the kernel, its timers
// are coarse, and the longer one waits the coarser (an eighth of it: its wheel has eight levels of 64 slots).

/** Of a kernel with 250 Hz; its timers are up to two ticks late in any case. */
const TICK_MS = 4;

const segmentsOf = (line) => line.split(' | ').slice(1);
const answerOf = (line) => line.split(' | ')[0];
const isBareAck = (segment) => /^(\d+: )?\. -?\d+\(0\) ack/.test(segment);
/** Who sent what of the stream, and acknowledged what if that is all: what else it says depends on when. */
const placeOf = (segment) => {
  const end = isBareAck(segment) ? / ack -?\d+/ : / \S+/;
  const at = end.exec(segment);
  return at === null ? segment : segment.slice(0, at.index + at[0].length).replace('P', '');
};
const ackOf = (segment) => / ack -?\d+/.exec(segment)?.[0];

/** What `ours` has and `theirs` has not, each as often as it is there. */
function without(ours, theirs) {
  const left = [...theirs];
  return ours.filter((segment) => {
    const at = left.indexOf(segment);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** How long step `at` is after what started the timer: the same segment's last sending, or else the last that anybody sent. */
function waited({ conversation, stack, kernel }, at, segment) {
  const place = placeOf(segment);
  const sends = (i, lines) => segmentsOf(lines[i]).some((each) => placeOf(each) === place);
  const speaks = (i) => conversation.steps[i].segment !== undefined || segmentsOf(kernel[i]).length > 0;
  const before = Array.from({ length: at }, (_, i) => at - 1 - i);
  const from = before.find((i) => sends(i, kernel) || sends(i, stack)) ?? before.find(speaks) ?? at;
  return conversation.steps.slice(from, at + 1).reduce((ms, step) => ms + step.ms, 0);
}

/** Whether the other side's `lines` have it in time after step `at`, or end before. */
function comesLater(answer, lines, segment) {
  const { conversation, at } = answer;
  const within = 2 * TICK_MS + waited(answer, at, segment) / 8;
  let ms = 0;
  for (let i = at + 1; i < lines.length && ms < within; ms += conversation.steps[i++].ms) {
    if (segmentsOf(lines[i]).some((each) => placeOf(each) === placeOf(segment))) return true;
  }
  return ms < within;
}

/** What follows is not compared. */
export function isMoved(answer) {
  const { kernel, stack, at } = answer;
  if (answerOf(kernel[at]) !== answerOf(stack[at])) return false;
  const pair = [segmentsOf(kernel[at]), segmentsOf(stack[at])];
  const moved = (ours, theirs, lines) =>
    without(ours, theirs).every(
      (segment) =>
        comesLater(answer, lines, segment) ||
        // Something else that a timer sent has carried it.
        (isBareAck(segment) && without(theirs, ours).some((each) => ackOf(each) === ackOf(segment))),
    );
  return moved(pair[0], pair[1], stack) && moved(pair[1], pair[0], kernel);
}
