// Calls JavaScript outside every callback scope of Node's, as libuv calls C++. Whatever C++ of Node's that
// JavaScript hands something to (TLS, HTTP/2) then calls back at the top: what a program puts off to the next
// tick runs after each of those callbacks, not after all of them. One for each environment.
#ifndef TAPSTACK_UNSCOPED_H
#define TAPSTACK_UNSCOPED_H

#include <napi.h>
#include <uv.h>

class Unscoped {
public:
  // Exports unscoped(step, settle) and armUnscoped().
  static void Define(Napi::Env env, Napi::Object exports);
  // What waits, now, unless JavaScript is being called that way already. False: nothing waited.
  static bool Run(Napi::Env env);

  Unscoped(const Unscoped &) = delete;
  Unscoped &operator=(const Unscoped &) = delete;

private:
  Unscoped(Napi::Env env, Napi::Function step, Napi::Function settle);
  ~Unscoped() = default;

  static Napi::Value Create(const Napi::CallbackInfo &call);
  static Napi::Value Arm(const Napi::CallbackInfo &call);
  static void OnIdle(uv_idle_t *handle);
  static void OnClosed(uv_handle_t *handle);
  static void OnCleanup(napi_async_cleanup_hook_handle handle, void *self);

  void Rounds(bool inBatch);
  bool Step(bool inBatch);
  void Settle(napi_value thrown);

  Napi::Env env_;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  Napi::ObjectReference receiver_;
  Napi::FunctionReference step_;
  Napi::FunctionReference settle_;
  uv_idle_t idle_{};
  bool armed_ = false;
  bool running_ = false;
  bool closed_ = false;
};

#endif
