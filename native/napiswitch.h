// Switches a device between NAPI by softirq and threaded NAPI (napi.c), on libuv's pool: it can take 30 ms.
#ifndef TAPSTACK_NAPISWITCH_H
#define TAPSTACK_NAPISWITCH_H

#include <napi.h>

class NapiSwitch {
public:
  // Takes over nic_take_napi's descriptor; negative: there is nothing to switch.
  explicit NapiSwitch(int fd) : fd_(fd) {}
  // For who has it: a switch that is on its way ends first, and nobody waits for it.
  void Release();

  // Begins to switch, unless it is doing that.
  void Begin(Napi::Env env, bool threaded);
  // "softirq", "threaded" or "switching".
  const char *State() const { return switching_ ? "switching" : threaded_ ? "threaded" : "softirq"; }

  NapiSwitch(const NapiSwitch &) = delete;
  NapiSwitch &operator=(const NapiSwitch &) = delete;

private:
  class Worker;

  ~NapiSwitch();

  int fd_;
  bool threaded_ = false; // JavaScript's thread alone looks at these
  bool switching_ = false;
  bool released_ = false;
};

#endif
