// The addon's face towards JavaScript: class Nic, removeNetns, and what unscoped.h defines. Turns options
// into C structs and errors into exceptions; frames move in pump.cc.
//
// A worker may be terminated while it is in here. From then on each call to JavaScript fails with nothing to
// be thrown, and node-addon-api would end the process (hence NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS in
// binding.gyp).

#include "napiswitch.h"
#include "pump.h"
#include "unscoped.h"

#include <string>

namespace {

// { code, errno, syscall, message }, as Node's own system errors have them.
void Throw(Napi::Env env, const nic_error &failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  error.Value().Set("code", failure.code);
  error.Value().Set("errno", -failure.errnum);
  error.Value().Set("syscall", failure.step);
  error.ThrowAsJavaScriptException();
}

void Misuse(Napi::Env env, const char *message) {
  if (env.IsExceptionPending()) // a getter has thrown, which says more
    return;
  Napi::TypeError error = Napi::TypeError::New(env, message);
  error.Value().Set("code", "EINVAL");
  error.ThrowAsJavaScriptException();
}

// A member, or an empty value once a getter has thrown.
Napi::Value Member(const Napi::Object &object, const char *key) {
  return object.Env().IsExceptionPending() ? Napi::Value() : Napi::Value(object.Get(key));
}

// A string member, or null when it is undefined. What is neither would else be taken for not asked for, as a
// namespace that is not one. `hold` keeps the text.
const char *Text(const Napi::Object &object, const char *key, std::string &hold) {
  Napi::Value value = Member(object, key);
  if (value.IsEmpty() || value.IsUndefined())
    return nullptr;
  if (value.IsString())
    hold = value.As<Napi::String>().Utf8Value();
  if (!value.IsString() || hold.find('\0') != std::string::npos)
    Misuse(object.Env(), (std::string(key) + " must be a string, without a zero byte").c_str());
  return hold.c_str();
}

bool Flag(const Napi::Object &object, const char *key) {
  Napi::Value value = Member(object, key);
  if (value.IsEmpty() || value.IsUndefined())
    return false;
  if (!value.IsBoolean())
    Misuse(object.Env(), (std::string(key) + " must be true or false").c_str());
  return value.IsBoolean() && value.As<Napi::Boolean>();
}

// A member that must be a number from 0 to 2^31 - 1.
bool Word(const Napi::Object &object, const char *key, uint32_t &out) {
  Napi::Value value = Member(object, key);
  if (!value.IsNumber())
    return false;
  double number = value.As<Napi::Number>().DoubleValue();
  out = number >= 0 && number <= INT32_MAX ? static_cast<uint32_t>(number) : 0;
  return number == out;
}

class Nic final : public Napi::ObjectWrap<Nic>, public PumpOwner, public NapiSwitch::Owner {
public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Nic",
                       {
                           InstanceMethod<&Nic::Start>("start"),
                           InstanceMethod<&Nic::Flush>("flush"),
                           InstanceMethod<&Nic::Turn>("turn"),
                           InstanceMethod<&Nic::TakeIn>("takeIn"),
                           InstanceMethod<&Nic::Close>("close"),
                           InstanceMethod<&Nic::BusyPoll>("busyPoll"),
                           InstanceMethod<&Nic::ThreadNapi>("threadNapi"),
                           InstanceMethod<&Nic::KeepThreadOff>("keepThreadOff"),
                           InstanceMethod<&Nic::RefHandle>("ref"),
                           InstanceMethod<&Nic::UnrefHandle>("unref"),
                           InstanceMethod<&Nic::Stats>("stats"),
                           InstanceAccessor<&Nic::Info>("info"),
                       });
  }

  explicit Nic(const Napi::CallbackInfo &call) : Napi::ObjectWrap<Nic>(call) {
    Napi::Env env = call.Env();
    if (IsEmpty()) // terminated: there is no object whose end would be ours
      return;
    if (!call[0].IsObject()) {
      Misuse(env, "Nic needs an options object");
      return;
    }
    nic *device = Open(env, call[0].As<Napi::Object>());
    if (device == nullptr)
      return;
    nic_info info = *nic_get_info(device);
    napi_ = new NapiSwitch(nic_take_napi(device), info.name, this);
    pump_ = Pump::Create(env, device, this);
    if (pump_ == nullptr)
      return;
    Describe(env, info);
    Ref(); // open devices are not garbage: nobody else would close them
  }

  ~Nic() {
    finalizing_ = true;
    if (pump_ != nullptr)
      pump_->Close();
    ReleaseNapi();
  }

  void PumpClosed() override {
    pump_ = nullptr;
    ReleaseNapi();
    if (!finalizing_)
      Unref();
  }

  void NapiSwitched(bool threaded) override {
    if (pump_ != nullptr)
      pump_->SetThreaded(threaded);
  }

private:
  void ReleaseNapi() {
    if (napi_ != nullptr)
      napi_->Release();
    napi_ = nullptr;
  }

  // Null, with an exception pending, when it fails.
  static nic *Open(Napi::Env env, const Napi::Object &object) {
    std::string name, netns, address, mac;
    uint32_t fd = 0;
    nic_options options{};
    options.name = Text(object, "name", name);
    options.netns = Text(object, "netns", netns);
    options.host_address = Text(object, "hostAddress", address);
    options.host_mac = Text(object, "hostMac", mac);
    options.offload = Flag(object, "offload");
    options.no_gro = Flag(object, "noGro");
    options.persist = Flag(object, "persist");
    options.napi = Flag(object, "napi");
    if (!Member(object, "mtu").IsUndefined() && !Word(object, "mtu", options.mtu)) {
      Misuse(env, "mtu must be a whole number");
      return nullptr;
    }
    bool adopt = options.name == nullptr && Word(object, "fd", fd), vnetHdr = Flag(object, "vnetHdr");
    // Terminated on the way: what was not read would be taken for not asked for, as a namespace.
    if (Member(object, "name").IsEmpty() || env.IsExceptionPending())
      return nullptr;
    nic_error error{};
    nic *device = adopt ? nic_adopt(static_cast<int>(fd), vnetHdr, &error) : nic_open(&options, &error);
    if (device == nullptr)
      Throw(env, error);
    return device;
  }

  // Why something cannot be had: an errno's name, or null where it can.
  static Napi::Value Refusal(Napi::Env env, int errnum) {
    return errnum == 0 ? env.Null() : Napi::String::New(env, nic_errno_name(errnum)).As<Napi::Value>();
  }

  void Describe(Napi::Env env, const nic_info &from) {
    Napi::Object info = Napi::Object::New(env);
    info.Set("name", from.name);
    info.Set("ifindex", from.ifindex);
    info.Set("mtu", from.mtu);
    info.Set("hostMac", Napi::Buffer<uint8_t>::Copy(env, from.host_mac, sizeof from.host_mac));
    info.Set("offloads", from.offloads);
    info.Set("vnetHdr", from.vnet_hdr);
    info.Set("noIoUring", Refusal(env, from.no_batch));
    info.Set("dearCalls", Napi::Boolean::New(env, from.dear_calls));
    info.Set("noThreadedNapi", Refusal(env, from.no_napi));
    info.Set("created", from.created);
    info.Set("netnsCreated", from.netns_created);
    info_ = Napi::Persistent(info);
  }

  // start(memory, layout, onReceive, onFlush, onError)
  Napi::Value Start(const Napi::CallbackInfo &call) {
    Napi::Env env = call.Env();
    if (pump_ == nullptr || started_) {
      Misuse(env, pump_ == nullptr ? "the device is closed" : "the device was started before");
      return env.Undefined();
    }
    if (!call[0].IsArrayBuffer() || !call[1].IsObject() || !call[2].IsFunction() || !call[3].IsFunction() ||
        !call[4].IsFunction()) {
      Misuse(env, "start(memory: ArrayBuffer, layout, onReceive, onFlush, onError)");
      return env.Undefined();
    }
    Napi::Object object = call[1].As<Napi::Object>();
    nic_layout at{};
    if (!Word(object, "rxListOffset", at.rx_list_offset) || !Word(object, "rxBlocks", at.rx_blocks) ||
        !Word(object, "rxBlockSize", at.rx_block_size) || !Word(object, "rxDescOffset", at.rx_desc_offset) ||
        !Word(object, "rxDescCount", at.rx_desc_count) ||
        !Word(object, "txHeaderOffset", at.tx_header_offset) ||
        !Word(object, "txHeaderSlot", at.tx_header_slot) || !Word(object, "txSlots", at.tx_slots) ||
        !Word(object, "txDescOffset", at.tx_desc_offset) || !Word(object, "ctrlOffset", at.ctrl_offset)) {
      Misuse(env, "each member of the layout must be a whole number of bytes or slots");
      return env.Undefined();
    }
    if (pump_ == nullptr || started_) { // a getter did it
      Misuse(env, "the device was closed or started while its layout was read");
      return env.Undefined();
    }
    started_ = pump_->Start(call[0].As<Napi::ArrayBuffer>(), at, call[2].As<Napi::Function>(),
                            call[3].As<Napi::Function>(), call[4].As<Napi::Function>());
    return env.Undefined();
  }

  void Flush(const Napi::CallbackInfo &) {
    if (pump_ != nullptr)
      pump_->Flush();
  }

  void Turn(const Napi::CallbackInfo &) {
    if (pump_ != nullptr)
      pump_->Turn();
  }

  Napi::Value TakeIn(const Napi::CallbackInfo &info) {
    return Napi::Boolean::New(info.Env(), pump_ != nullptr && pump_->TakeIn());
  }

  void Close(const Napi::CallbackInfo &) {
    if (pump_ == nullptr)
      return;
    last_ = pump_->DropWaiting();
    pump_->Close();
  }

  void BusyPoll(const Napi::CallbackInfo &call) {
    if (pump_ != nullptr && call[0].IsNumber())
      pump_->SetBusyPoll(call[0].As<Napi::Number>().Uint32Value());
  }

  void ThreadNapi(const Napi::CallbackInfo &call) {
    if (pump_ != nullptr && call[0].IsBoolean())
      napi_->Begin(call.Env(), call[0].As<Napi::Boolean>());
  }

  void KeepThreadOff(const Napi::CallbackInfo &) {
    if (pump_ != nullptr)
      napi_->KeepOff();
  }

  void RefHandle(const Napi::CallbackInfo &) {
    if (pump_ != nullptr)
      pump_->SetRef(true);
  }

  void UnrefHandle(const Napi::CallbackInfo &) {
    if (pump_ != nullptr)
      pump_->SetRef(false);
  }

  Napi::Value Stats(const Napi::CallbackInfo &call) {
    const nic_stats &from = pump_ != nullptr ? pump_->Queue().stats : last_;
    Napi::Object stats = Napi::Object::New(call.Env());
    auto set = [&](const char *key, uint64_t value) { stats.Set(key, static_cast<double>(value)); };
    set("rxFrames", from.rx_frames);
    set("rxBytes", from.rx_bytes);
    set("rxDropped", from.rx_dropped);
    set("rxErrors", from.rx_errors);
    set("rxBusyPolled", from.rx_busy_polled);
    set("rxBatched", from.rx_batched);
    set("rxSpunNs", from.rx_spun_ns);
    set("txFrames", from.tx_frames);
    set("txBytes", from.tx_bytes);
    set("txDropped", from.tx_dropped);
    set("txInvalid", from.tx_invalid);
    set("txEagain", from.tx_eagain);
    set("txBatched", from.tx_batched);
    const bool open = napi_ != nullptr && pump_ != nullptr;
    stats.Set("napi", open && napi_->Switching()        ? "switching"
                      : open && pump_->Queue().threaded ? "threaded"
                                                        : "softirq");
    return stats;
  }

  Napi::Value Info(const Napi::CallbackInfo &) { return info_.Value(); }

  Pump *pump_ = nullptr; // null once closed
  bool started_ = false;
  bool finalizing_ = false;
  nic_stats last_{};           // the counters as they were at close
  NapiSwitch *napi_ = nullptr; // null once closed
  Napi::ObjectReference info_;
};

Napi::Value RemoveNetns(const Napi::CallbackInfo &call) {
  Napi::Env env = call.Env();
  nic_error error{};
  if (!call[0].IsString())
    Misuse(env, "removeNetns(name: string)");
  else if (!nic_netns_remove(call[0].As<Napi::String>().Utf8Value().c_str(), &error))
    Throw(env, error);
  return env.Undefined();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Nic", Nic::Define(env));
  exports.Set("removeNetns", Napi::Function::New<RemoveNetns>(env, "removeNetns"));
  Unscoped::Define(env, exports);
  return exports;
}

} // namespace

NODE_API_MODULE(tapstack, Init)
