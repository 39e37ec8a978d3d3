// Switches a device between NAPI by softirq and threaded NAPI (napi.c), on libuv's pool: it can take 30 ms.
#ifndef TAPSTACK_NAPI_SWITCH_H
#define TAPSTACK_NAPI_SWITCH_H

#include <memory>
#include <napi.h>

class NapiSwitch {
public:
  // Takes over nic_take_napi's descriptor; negative: there is nothing to switch.
  explicit NapiSwitch(int fd);
  ~NapiSwitch();

  // Begins to switch, unless it is doing that.
  static void Begin(const std::shared_ptr<NapiSwitch> &self, Napi::Env env, bool threaded);
  // "softirq", "threaded" or "switching".
  const char *State() const { return switching_ ? "switching" : threaded_ ? "threaded" : "softirq"; }

  NapiSwitch(const NapiSwitch &) = delete;
  NapiSwitch &operator=(const NapiSwitch &) = delete;

private:
  class Worker;

  int fd_;
  bool threaded_ = false; // JavaScript's thread alone looks at these
  bool switching_ = false;
};

#endif
