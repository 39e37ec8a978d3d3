// See unscoped.h. What waits runs at the end of a batch of frames, before its answers are sent (pump.cc), or
// else before the event loop looks for events: an idle handle keeps it from sleeping until then.

#include "unscoped.h"

namespace {

// Steps at once: enough for a busy server, few enough that timers keep running.
constexpr int kRounds = 64;

napi_value TakeException(napi_env env) {
  bool pending = false;
  napi_value exception = nullptr;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending)
    napi_get_and_clear_last_exception(env, &exception);
  return exception;
}

} // namespace

Unscoped::Unscoped(Napi::Env env, Napi::Function step, Napi::Function settle)
    : env_(env), receiver_(Napi::Persistent(Napi::Object::New(env))), step_(Napi::Persistent(step)),
      settle_(Napi::Persistent(settle)) {}

void Unscoped::Define(Napi::Env env, Napi::Object exports) {
  exports.Set("unscoped", Napi::Function::New<Create>(env, "unscoped"));
  exports.Set("armUnscoped", Napi::Function::New<Arm>(env, "armUnscoped"));
}

// unscoped(step, settle), once
Napi::Value Unscoped::Create(const Napi::CallbackInfo &call) {
  Napi::Env env = call.Env();
  if (!call[0].IsFunction() || !call[1].IsFunction() || env.GetInstanceData<Unscoped>() != nullptr) {
    Napi::TypeError::New(env, "unscoped(step, settle) is called once").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Unscoped *self = new Unscoped(env, call[0].As<Napi::Function>(), call[1].As<Napi::Function>());
  uv_loop_t *loop = nullptr;
  napi_value name = Napi::String::New(env, "tapstack.Unscoped");
  if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
      napi_async_init(env, self->receiver_.Value(), name, &self->context_) != napi_ok ||
      napi_add_async_cleanup_hook(env, OnCleanup, self, &self->cleanup_) != napi_ok) {
    delete self;
    Napi::Error::New(env, "the environment is shutting down").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  uv_idle_init(loop, &self->idle_);
  self->idle_.data = self;
  // It goes with its libuv handle, not with the data's finalizer.
  napi_set_instance_data(env, self, nullptr, nullptr);
  return env.Undefined();
}

Napi::Value Unscoped::Arm(const Napi::CallbackInfo &call) {
  Unscoped *self = call.Env().GetInstanceData<Unscoped>();
  if (self != nullptr && !self->closed_ && !self->armed_) {
    self->armed_ = true;
    uv_idle_start(&self->idle_, OnIdle);
  }
  return call.Env().Undefined();
}

bool Unscoped::Run(Napi::Env env) {
  Unscoped *self = env.GetInstanceData<Unscoped>();
  if (self == nullptr || !self->armed_ || self->running_)
    return false;
  self->Rounds(true);
  return true;
}

void Unscoped::OnIdle(uv_idle_t *handle) {
  Unscoped *self = static_cast<Unscoped *>(handle->data);
  if (!self->running_)
    self->Rounds(false);
}

void Unscoped::Rounds(bool inBatch) {
  running_ = true;
  for (int round = 0; round < kRounds && armed_ && !closed_; round++) {
    armed_ = false; // what the step brings about may arm anew
    if (Step(inBatch))
      armed_ = true;
  }
  running_ = false;
  if (!armed_ && !closed_)
    uv_idle_stop(&idle_);
}

// One call, and the ticks and microtasks that are left. True: something may wait still.
bool Unscoped::Step(bool inBatch) {
  Napi::HandleScope scope(env_);
  napi_value argument = Napi::Boolean::New(env_, inBatch), more = nullptr;
  napi_status status = napi_call_function(env_, receiver_.Value(), step_.Value(), 1, &argument, &more);
  napi_value thrown = status == napi_ok ? nullptr : TakeException(env_);
  Settle(thrown);
  if (status != napi_ok)
    return thrown != nullptr;
  bool result = false;
  return napi_get_value_bool(env_, more, &result) == napi_ok && result;
}

void Unscoped::Settle(napi_value thrown) {
  napi_callback_scope scope = nullptr;
  if (napi_open_callback_scope(env_, receiver_.Value(), context_, &scope) != napi_ok)
    return;
  if (thrown != nullptr)
    napi_fatal_exception(env_, thrown);
  if (napi_call_function(env_, receiver_.Value(), settle_.Value(), 0, nullptr, nullptr) != napi_ok) {
    napi_value exception = TakeException(env_);
    if (exception != nullptr)
      napi_fatal_exception(env_, exception);
  }
  napi_close_callback_scope(env_, scope);
}

void Unscoped::OnCleanup(napi_async_cleanup_hook_handle, void *data) {
  Unscoped *self = static_cast<Unscoped *>(data);
  self->closed_ = true;
  napi_set_instance_data(self->env_, nullptr, nullptr, nullptr);
  uv_close(reinterpret_cast<uv_handle_t *>(&self->idle_), OnClosed);
}

void Unscoped::OnClosed(uv_handle_t *handle) {
  Unscoped *self = static_cast<Unscoped *>(handle->data);
  napi_async_destroy(self->env_, self->context_);
  // The references go before the hook: without it Node may take the environment down.
  napi_async_cleanup_hook_handle cleanup = self->cleanup_;
  delete self;
  napi_remove_async_cleanup_hook(cleanup);
}
