// Moves frames between a NIC's queue and JavaScript, from libuv's poll and prepare phases. One Pump for each
// open Nic; it owns the libuv handles and outlives the JavaScript object until they are closed.
#ifndef TAPSTACK_PUMP_H
#define TAPSTACK_PUMP_H

#include "nic.h"
#include "spinbudget.h"

#include <napi.h>
#include <uv.h>

class Pump;

// The JavaScript object's side: told when the NIC is closed by whoever does it.
class PumpOwner {
public:
  virtual void PumpClosed() = 0;

protected:
  ~PumpOwner() = default;
};

class Pump {
public:
  // Takes over the NIC. Null, with a JavaScript exception pending, when Node is shutting down.
  static Pump *Create(Napi::Env env, nic *device, PumpOwner *owner);

  // Starts receiving into the rings. Throws into JavaScript (and returns false) when they do not fit.
  bool Start(Napi::ArrayBuffer memory, const nic_layout &layout, Napi::Function onReceive,
             Napi::Function onFlush, Napi::Function onError);
  void Flush();
  // What a turn of the event loop does, now: for a process that will not see another one.
  void Turn();
  // Receives what is waiting, inside a callback; whether there was anything.
  bool TakeIn();
  // For who closes: nothing more will be received. The counters, as they stay.
  nic_stats DropWaiting();
  // Closes the device at once; the Pump deletes itself when libuv has let go of its handles.
  void Close();
  void SetRef(bool ref);
  // Microseconds to look for frames again and again before the event loop sleeps; 0: none.
  void SetBusyPoll(uint32_t us) { spin_.Set(us); }
  // A thread of the kernel's receives what is written, or does no more.
  void SetThreaded(bool threaded) { queue_->threaded = threaded; }

  const nic_queue &Queue() const { return *queue_; }
  const nic_info &Info() const { return *nic_get_info(nic_); }

  Pump(const Pump &) = delete;
  Pump &operator=(const Pump &) = delete;

private:
  Pump(Napi::Env env, nic *device, PumpOwner *owner);
  ~Pump() = default;

  static void OnCleanup(napi_async_cleanup_hook_handle handle, void *self);
  static void OnPoll(uv_poll_t *handle, int status, int events);
  static void OnPrepare(uv_prepare_t *handle);
  static void OnIdle(uv_idle_t *handle);
  static void OnRested(uv_timer_t *handle);
  static void OnHandleClosed(uv_handle_t *handle);

  void Receive();
  bool ReceiveBatch();
  bool Deferred();
  void Transmit();
  void Spin();
  bool Renew();
  bool Call(const Napi::FunctionReference &callback, std::initializer_list<napi_value> arguments);
  void Watch();
  void StayAwake();
  void Rest();
  void Gone(int errnum);
  void Broken(const char *code, const char *message);
  void Release();

  Napi::Env env_;
  nic *nic_;
  nic_queue *queue_;
  PumpOwner *owner_;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  napi_async_context context_ = nullptr;
  Napi::Reference<Napi::ArrayBuffer> memory_;
  Napi::ObjectReference receiver_;
  Napi::FunctionReference onReceive_;
  Napi::FunctionReference onFlush_;
  Napi::FunctionReference onError_;
  uv_poll_t poll_{};
  uv_prepare_t prepare_{};
  uv_idle_t idle_{};     // while it is started, the loop does not sleep
  uv_timer_t timer_{};   // the end of a rest
  uint32_t batches_ = 0; // received so far (wrapping)
  SpinBudget spin_;
  int handles_ = 0;      // libuv handles not yet closed
  bool started_ = false; // rings are attached
  bool stopped_ = false; // device or memory is gone: nothing moves any more
  bool blocked_ = false; // the device is full: waiting for writability
  bool resting_ = false; // the device is not looked at: it got us nowhere
  bool inside_ = false;  // of TakeIn
  bool closed_ = false;
  bool renewed_ = false; // the rings were looked for since JavaScript ran last
};

#endif
