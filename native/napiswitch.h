// Switches a device between NAPI by softirq and threaded NAPI (napi.c), on libuv's pool: it can take 30 ms.
#ifndef TAPSTACK_NAPISWITCH_H
#define TAPSTACK_NAPISWITCH_H

#include "nic.h"

#include <napi.h>
#include <string>

class NapiSwitch {
public:
  // Told of every switch that was made.
  class Owner {
  public:
    virtual void NapiSwitched(bool threaded) = 0;

  protected:
    ~Owner() = default;
  };

  // Takes over nic_take_napi's descriptor, of the device of that name; negative: there is nothing to switch.
  NapiSwitch(int fd, const char *name, Owner *owner) : fd_(fd), name_(name), owner_(owner) {}
  // For who has it: a switch that is on its way ends first, and nobody waits for it.
  void Release();

  // Begins to switch, unless it is doing that.
  void Begin(Napi::Env env, bool threaded);
  // Keeps the thread, while there is one, off the processor that runs this (nic_keep_off).
  void KeepOff();
  bool Switching() const { return switching_; }

  NapiSwitch(const NapiSwitch &) = delete;
  NapiSwitch &operator=(const NapiSwitch &) = delete;

private:
  class Worker;

  ~NapiSwitch();

  const int fd_;
  const std::string name_;
  Owner *owner_;             // null once released
  nic_napi_thread thread_{}; // while it is switched its worker's, else JavaScript's thread's
  bool threaded_ = false;    // JavaScript's thread alone looks at these
  bool switching_ = false;
};

#endif
