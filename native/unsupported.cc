// Elsewhere than on Linux there is no TAP device: the addon loads, and says so when a device is asked for.

#include <napi.h>

namespace {

Napi::Value Refuse(const Napi::CallbackInfo &info) {
  Napi::Error error = Napi::Error::New(
      info.Env(), "TAP devices need Linux; on this system only in-memory links and loopback are there");
  error.Value().Set("code", "ENOTSUP");
  error.ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Nic", Napi::Function::New(env, Refuse, "Nic"));
  exports.Set("removeNetns", Napi::Function::New(env, Refuse, "removeNetns"));
  return exports;
}

} // namespace

NODE_API_MODULE(tapstack, Init)
