// How long a Pump looks for frames before the event loop sleeps (busy polling, as SO_BUSY_POLL and
// napi_busy_loop do it): to be woken costs more than a frame, so who expects one does not sleep. Adaptive:
// halved each time in vain, and whole again once it would have paid.
#ifndef TAPSTACK_SPINBUDGET_H
#define TAPSTACK_SPINBUDGET_H

#include <cstdint>

class SpinBudget {
public:
  // Microseconds; 0: never.
  void Set(uint32_t us) { asked_ = now_ = us * uint64_t{1000}; }
  bool Wanted() const { return asked_ != 0; }
  // What is left of it, in nanoseconds.
  uint64_t Left() const { return now_; }
  // Nanoseconds since frames came last; times are uv_hrtime's.
  uint64_t Quiet(uint64_t time) const { return time - last_; }

  void Found(uint64_t time) {
    now_ = asked_;
    last_ = time;
  }
  void InVain() { now_ /= 2; }
  // Frames came by a wake-up: would busy polling have caught them?
  void Woken(uint64_t time) {
    if (time - last_ < 2 * asked_)
      now_ = asked_;
    last_ = time;
  }

private:
  uint64_t asked_ = 0;
  uint64_t now_ = 0;
  uint64_t last_ = 0;
};

#endif
