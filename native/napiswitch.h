// Switches a device between NAPI by softirq and threaded NAPI (napi.c), on libuv's pool: it can take 30 ms.
#ifndef TAPSTACK_NAPISWITCH_H
#define TAPSTACK_NAPISWITCH_H

#include "nic.h"

#include <napi.h>
#include <string>

class NapiSwitch {
public:
  // Takes over nic_take_napi's descriptor, of the device of that name; negative: there is nothing to switch.
  NapiSwitch(int fd, const char *name) : fd_(fd), name_(name) {}
  // For who has it: a switch that is on its way ends first, and nobody waits for it.
  void Release();

  // Begins to switch, unless it is doing that.
  void Begin(Napi::Env env, bool threaded);
  // Keeps the thread, while there is one, off the processor that runs this (nic_keep_off).
  void KeepOff();
  // "softirq", "threaded" or "switching".
  const char *State() const { return switching_ ? "switching" : threaded_ ? "threaded" : "softirq"; }

  NapiSwitch(const NapiSwitch &) = delete;
  NapiSwitch &operator=(const NapiSwitch &) = delete;

private:
  class Worker;

  ~NapiSwitch();

  const int fd_;
  const std::string name_;
  nic_napi_thread thread_{}; // while it is switched its worker's, else JavaScript's thread's
  bool threaded_ = false;    // JavaScript's thread alone looks at these
  bool switching_ = false;
  bool released_ = false;
};

#endif
