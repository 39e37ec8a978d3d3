// What recvmsg takes out of the error queue, as text. kernel.py spells it in the same way.

const MSG_ERRQUEUE = 0x2000;
const SOL_IP = 0;
const IP_RECVERR = 11;
const SO_TIMESTAMPING = 37;

/** Room for `length` bytes of the packet it is about: of those only the number is told. */
export function toldText(sys, fd, length) {
  const message = {
    msg_iov: [new Uint8Array(length)],
    msg_name: { family: 0, address: '', port: 0 },
    msg_control: [],
  };
  const count = sys.recvmsg(fd, message, MSG_ERRQUEUE);
  if (count < 0) return count;
  const { address, port } = message.msg_name;
  const texts = [
    `${count} flags ${message.msg_flags.toString(16)} about ${address === '' ? '' : `${address}:${port}`}`,
  ];
  for (const { cmsg_level, cmsg_type, cmsg_data } of message.msg_control) {
    if (cmsg_level === SOL_IP && cmsg_type === IP_RECVERR) {
      const { ee_errno, ee_origin, ee_type, ee_code, ee_info, ee_data, offender } = cmsg_data;
      texts.push(
        `err ${ee_errno} ${ee_origin} ${ee_type} ${ee_code} ${ee_info} ${ee_data} by ${offender?.address ?? ''}`,
      );
    } else if (cmsg_type === SO_TIMESTAMPING) {
      texts.push(`stamps ${cmsg_data.ts.map(({ tv_sec }) => Number(tv_sec > 0)).join('')}`);
    } else texts.push(`message ${cmsg_level} ${cmsg_type}`);
  }
  return texts.join(', ');
}
