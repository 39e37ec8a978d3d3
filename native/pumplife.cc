// How a Pump begins and ends: the libuv handles that it owns, what it holds of JavaScript's, and who lets go
// of what first.

#include "pump.h"

#include <string>

Pump::Pump(Napi::Env env, nic *device, PumpOwner *owner)
    : env_(env), nic_(device), queue_(nic_get_queue(device, 0)), owner_(owner) {}

Pump *Pump::Create(Napi::Env env, nic *device, PumpOwner *owner) {
  Pump *pump = new Pump(env, device, owner);
  // An asynchronous hook, because libuv gives handles back only from a later turn of its loop.
  if (napi_add_async_cleanup_hook(env, OnCleanup, pump, &pump->cleanup_) == napi_ok)
    return pump;
  nic_close(device);
  delete pump;
  Napi::Error::New(env, "the environment is shutting down").ThrowAsJavaScriptException();
  return nullptr;
}

bool Pump::Start(Napi::ArrayBuffer memory, const nic_layout &layout, Napi::Function onReceive,
                 Napi::Function onFlush, Napi::Function onError) {
  nic_error error{};
  if (!nic_queue_attach(queue_, memory.Data(), memory.ByteLength(), &layout, &error)) {
    Napi::RangeError::New(env_, error.message).ThrowAsJavaScriptException();
    return false;
  }
  uv_loop_t *loop = nullptr;
  napi_value resource = Napi::Object::New(env_), name = Napi::String::New(env_, "tapstack.Nic");
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok ||
      (context_ == nullptr && napi_async_init(env_, resource, name, &context_) != napi_ok)) {
    Napi::Error::New(env_, "the environment is shutting down").ThrowAsJavaScriptException();
    return false;
  }
  int result = uv_poll_init(loop, &poll_, queue_->fd);
  if (result != 0) {
    Napi::Error::New(env_, std::string("cannot watch the TAP device: ") + uv_strerror(result))
        .ThrowAsJavaScriptException();
    return false;
  }
  uv_prepare_init(loop, &prepare_);
  uv_idle_init(loop, &idle_);
  uv_timer_init(loop, &timer_);
  handles_ = 4;
  poll_.data = prepare_.data = idle_.data = timer_.data = this;
  uv_unref(reinterpret_cast<uv_handle_t *>(&prepare_));
  uv_unref(reinterpret_cast<uv_handle_t *>(&idle_));
  memory_ = Napi::Persistent(memory);
  receiver_ = Napi::Persistent(Napi::Object::New(env_));
  onReceive_ = Napi::Persistent(onReceive);
  onFlush_ = Napi::Persistent(onFlush);
  onError_ = Napi::Persistent(onError);
  started_ = true;
  Watch();
  uv_prepare_start(&prepare_, OnPrepare);
  return true;
}

void Pump::SetRef(bool ref) {
  if (closed_ || handles_ == 0)
    return;
  for (uv_handle_t *handle :
       {reinterpret_cast<uv_handle_t *>(&poll_), reinterpret_cast<uv_handle_t *>(&timer_)}) {
    if (ref)
      uv_ref(handle);
    else
      uv_unref(handle);
  }
}

void Pump::Close() {
  if (closed_)
    return;
  closed_ = true;
  if (handles_ > 0) { // uv_close stops polling at once, so the descriptor may go right after
    uv_close(reinterpret_cast<uv_handle_t *>(&poll_), OnHandleClosed);
    uv_close(reinterpret_cast<uv_handle_t *>(&prepare_), OnHandleClosed);
    uv_close(reinterpret_cast<uv_handle_t *>(&idle_), OnHandleClosed);
    uv_close(reinterpret_cast<uv_handle_t *>(&timer_), OnHandleClosed);
  }
  nic_close(nic_);
  nic_ = nullptr;
  queue_ = nullptr;
  PumpOwner *owner = owner_;
  owner_ = nullptr;
  if (handles_ == 0)
    Release();
  owner->PumpClosed();
}

void Pump::OnHandleClosed(uv_handle_t *handle) {
  Pump *self = static_cast<Pump *>(handle->data);
  if (--self->handles_ == 0)
    self->Release();
}

void Pump::Release() {
  if (context_ != nullptr)
    napi_async_destroy(env_, context_);
  // The references go before the hook: without it Node may take the environment down.
  napi_async_cleanup_hook_handle cleanup = cleanup_;
  delete this;
  napi_remove_async_cleanup_hook(cleanup);
}

void Pump::OnCleanup(napi_async_cleanup_hook_handle, void *self) { static_cast<Pump *>(self)->Close(); }
