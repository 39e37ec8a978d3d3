// See pump.h; how a Pump begins and ends is in pumplife.cc. The order within one turn of the event loop:
// receive a batch, run what it woke (microtasks, then what waits to be called outside of every callback:
// unscoped.h), collect deferred work (pending ACKs), transmit. So an answer carries the ACK, and a batch
// costs one flush.

#include "pump.h"
#include "unscoped.h"

#include <cerrno>
#include <poll.h>
#include <string>

namespace {

// Batches per readiness: enough to stay ahead of a fast sender, few enough that timers keep running.
constexpr int kReceiveRounds = 4;
// Deferred work wakes sleepers, who may defer work; beyond this it waits for the next turn of the loop.
constexpr int kDeferredRounds = 8;
// However many frames busy polling finds, the rest of the event loop has its turn after so long; and as soon
// as there is anything for it, which is asked once for so many looks for frames.
constexpr uint64_t kSpinLongestNs = 1000000;
constexpr unsigned kLooks = 16;
// After so many milliseconds a device that gives nothing but errors, or that there is no block for, is read
// again: it goes on saying that it has frames, and would keep the processor busy.
constexpr uint64_t kRestMs = 10;

// Has anything come that the event loop waits for? What it began to wait for in this turn it has not told
// yet.
bool LoopHasWork(uv_loop_t *loop) {
  pollfd backend = {uv_backend_fd(loop), POLLIN, 0};
  return poll(&backend, 1, 0) > 0;
}

} // namespace

void Pump::OnPoll(uv_poll_t *handle, int status, int events) {
  Pump *self = static_cast<Pump *>(handle->data);
  self->renewed_ = false;
  if (self->closed_ || self->stopped_)
    return;
  Napi::HandleScope scope(self->env_);
  if (status < 0) { // tun_chr_poll says EPOLLERR once the device is unregistered
    self->Gone(-status);
    return;
  }
  if (events & UV_WRITABLE) {
    self->blocked_ = false;
    self->Watch();
    self->Transmit();
    if (self->closed_ || self->stopped_)
      return;
  }
  if ((events & UV_READABLE) || nic_waiting(self->queue_) != 0)
    self->Receive();
}

void Pump::OnPrepare(uv_prepare_t *handle) {
  Pump *self = static_cast<Pump *>(handle->data);
  self->renewed_ = false;
  if (self->closed_ || self->stopped_)
    return;
  Napi::HandleScope scope(self->env_);
  if (!self->Renew() || !self->Deferred())
    return;
  self->Transmit();
  if (self->spin_.Wanted())
    self->Spin();
  // Of what was read ahead the device says nothing, and what is put off may be more than was done now.
  if (!self->closed_ && !self->stopped_ && self->Renew() &&
      ((nic_waiting(self->queue_) != 0 && !self->resting_) || *nic_ctrl(self->queue_, NIC_CTRL_FLUSH) != 0))
    self->StayAwake();
}

void Pump::StayAwake() { uv_idle_start(&idle_, OnIdle); }

void Pump::OnIdle(uv_idle_t *handle) {
  Pump *self = static_cast<Pump *>(handle->data);
  uv_idle_stop(handle);
  self->renewed_ = false;
  if (self->closed_ || self->stopped_ || nic_waiting(self->queue_) == 0)
    return;
  Napi::HandleScope scope(self->env_);
  self->Receive();
}

void Pump::Rest() {
  if (resting_)
    return;
  resting_ = true;
  Watch();
  uv_timer_start(&timer_, OnRested, kRestMs, 0);
}

void Pump::OnRested(uv_timer_t *handle) {
  Pump *self = static_cast<Pump *>(handle->data);
  self->renewed_ = false;
  self->resting_ = false;
  if (self->closed_ || self->stopped_)
    return;
  Napi::HandleScope scope(self->env_);
  self->Watch();
  self->Receive();
}

// Busy polling, for as long as spinbudget.h says.
void Pump::Spin() {
  if (closed_ || stopped_)
    return;
  const uint64_t start = uv_hrtime();
  uint64_t longest = kSpinLongestNs;
  const int timeout = uv_backend_timeout(poll_.loop); // milliseconds to the next timer; negative: none
  if (timeout == 0 || blocked_ || spin_.Quiet(start) > longest)
    return;
  if (timeout > 0 && timeout * uint64_t{1000000} < longest)
    longest = timeout * uint64_t{1000000};
  uint64_t since = start;
  unsigned looks = 0;
  for (uint64_t now = start, looked = start; now - since < spin_.Left(); now = uv_hrtime()) {
    queue_->stats.rx_spun_ns += now - looked;
    looked = now;
    if (now - start > longest) {
      StayAwake(); // frames keep coming: the loop looks around, and comes back
      return;
    }
    if (++looks % kLooks == 0 && LoopHasWork(poll_.loop))
      return;
    const uint64_t frames = queue_->stats.rx_frames;
    if (!ReceiveBatch())
      return;
    if (queue_->stats.rx_frames == frames)
      continue;
    queue_->stats.rx_busy_polled += queue_->stats.rx_frames - frames;
    since = looked = uv_hrtime();
    spin_.Found(since);
    if (uv_backend_timeout(poll_.loop) == 0)
      return;
  }
  spin_.InVain();
}

void Pump::Receive() {
  const uint32_t before = batches_;
  for (int round = 0; round < kReceiveRounds; round++) {
    const uint32_t batches = batches_;
    if (!ReceiveBatch())
      return;
    if (batches_ == batches)
      break;
  }
  if (spin_.Wanted() && batches_ != before)
    spin_.Woken(uv_hrtime());
}

// What is waiting, and what it provokes. False when nothing may be touched any more.
bool Pump::ReceiveBatch() {
  Napi::HandleScope scope(env_);
  if (!Renew())
    return false;
  if (resting_)
    return true;
  int count = nic_receive(queue_);
  if (queue_->stuck)
    Rest();
  if (count < 0) {
    Gone(-count);
    return false;
  }
  if (count == 0)
    return true;
  batches_++;
  if (!Call(onReceive_, {Napi::Number::New(env_, count)}))
    return false;
  if (!inside_) {
    if (Unscoped::Run(env_)) {
      renewed_ = false;
      if (closed_ || stopped_)
        return false;
    }
    if (!Deferred())
      return false;
  }
  Transmit();
  return !closed_ && !stopped_;
}

// Lets the stack do what it put off. False when nothing may be touched any more.
bool Pump::Deferred() {
  for (int round = 0; round < kDeferredRounds; round++) {
    if (!Renew())
      return false;
    int32_t *flush = nic_ctrl(queue_, NIC_CTRL_FLUSH);
    if (*flush == 0)
      return true;
    *flush = 0;
    if (!Call(onFlush_, {}))
      return false;
  }
  return Renew();
}

void Pump::Flush() {
  renewed_ = false;
  if (!closed_ && started_ && !stopped_)
    Transmit();
}

void Pump::Turn() {
  renewed_ = false;
  if (closed_ || !started_ || stopped_)
    return;
  blocked_ = resting_ = false; // nobody will tell of writability, nor of a rest's end
  Receive();
  if (Renew() && Deferred())
    Transmit();
}

// Within a callback of JavaScript's, before timers are looked at: programs that frames wake run only when
// that callback is over, and what was put off for their sake waits for them, until the loop is about to
// block.
bool Pump::TakeIn() {
  renewed_ = false;
  if (closed_ || !started_ || stopped_)
    return false;
  const uint32_t before = batches_;
  inside_ = true;
  Receive();
  inside_ = false;
  return batches_ != before;
}

void Pump::Transmit() {
  if (closed_ || stopped_ || blocked_ || !Renew())
    return;
  if (*nic_ctrl(queue_, NIC_CTRL_TX_HEAD) == *nic_ctrl(queue_, NIC_CTRL_TX_TAIL))
    return;
  int result = nic_flush(queue_);
  if (result == -EAGAIN) {
    blocked_ = true;
    Watch();
  } else if (result < 0) {
    Gone(-result);
  }
}

// JavaScript may have detached or shrunk the ArrayBuffer since it ran last, and to look costs.
bool Pump::Renew() {
  if (closed_ || stopped_)
    return false;
  if (renewed_)
    return true;
  napi_value memory = memory_.Value();
  void *data = nullptr;
  size_t size = 0;
  if (memory != nullptr && napi_get_arraybuffer_info(env_, memory, &data, &size) == napi_ok &&
      nic_queue_rebase(queue_, data, size)) {
    renewed_ = true;
    return true;
  }
  Broken("EFAULT", "the packet memory was detached or shrunk while a TAP device was using it");
  return false;
}

// Calls into JavaScript, and runs what it put off to the next tick and the microtasks behind it. What is
// thrown there becomes an uncaught exception, as from any callback, and is none of the NIC's business. It is
// reported before the scope ends, for then Node takes down what the callback had entered (async_hooks); at
// the end of the scope it would find that still standing, and abort. False when the callback closed us or
// Node is stopping.
bool Pump::Call(const Napi::FunctionReference &callback, std::initializer_list<napi_value> arguments) {
  napi_env env = env_;
  napi_callback_scope scope = nullptr;
  if (napi_open_callback_scope(env, receiver_.Value(), context_, &scope) != napi_ok)
    return false;
  napi_status status = napi_call_function(env, receiver_.Value(), callback.Value(), arguments.size(),
                                          arguments.begin(), nullptr);
  bool pending = false;
  if (status != napi_ok && napi_is_exception_pending(env, &pending) == napi_ok && pending) {
    napi_value exception = nullptr;
    if (napi_get_and_clear_last_exception(env, &exception) == napi_ok)
      napi_fatal_exception(env, exception);
  }
  napi_close_callback_scope(env, scope);
  renewed_ = false;
  return !closed_ && !stopped_;
}

void Pump::Watch() {
  const int events = (resting_ ? 0 : UV_READABLE) | (blocked_ ? UV_WRITABLE : 0);
  if (events == 0)
    uv_poll_stop(&poll_);
  else
    uv_poll_start(&poll_, events, OnPoll);
}

void Pump::Gone(int errnum) {
  const std::string name = Info().name; /* of a descriptor that was handed over, nobody told it */
  const std::string device =
      name.empty() ? "device of descriptor " + std::to_string(queue_->fd) : "TAP device " + name;
  const std::string message =
      "the " + device + " is gone: it was removed while in use (" + nic_errno_name(errnum) + ")";
  queue_->gone = true;
  Broken("ENODEV", message.c_str());
}

void Pump::Broken(const char *code, const char *message) {
  stopped_ = true;
  uv_poll_stop(&poll_);
  uv_prepare_stop(&prepare_);
  uv_idle_stop(&idle_);
  uv_timer_stop(&timer_);
  nic_drop_waiting(queue_);
  Call(onError_, {Napi::String::New(env_, code), Napi::String::New(env_, message)});
}

nic_stats Pump::DropWaiting() {
  nic_drop_waiting(queue_);
  return queue_->stats;
}
