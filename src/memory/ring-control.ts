// A transmit ring's control block: words of packet memory that the stack and the NIC share (enum nic_ctrl in native/nic.h).

/** Slots that the stack has filled; it alone writes this word. */
export const CTRL_TX_HEAD = 0;
/** Slots that the NIC is done with; it alone writes this word. */
export const CTRL_TX_TAIL = 1;
/** Not 0: the stack has put work off and wants to be called for it. */
export const CTRL_FLUSH = 2;
export const CTRL_WORDS = 16;
