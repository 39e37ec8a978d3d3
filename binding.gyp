{
  "targets": [
    {
      "target_name": "tapstack",
      "include_dirs": ["<!@(node -p \"require('node-addon-api').include\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "native/binding.cc",
            "native/pump.cc",
            "native/pumplife.cc",
            "native/napiswitch.cc",
            "native/unscoped.cc",
            "native/callcost.c",
            "native/csum.c",
            "native/duty.c",
            "native/error.c",
            "native/gro.c",
            "native/gso.c",
            "native/guard.c",
            "native/napi.c",
            "native/napithread.c",
            "native/netlink.c",
            "native/netns.c",
            "native/options.c",
            "native/queue.c",
            "native/route.c",
            "native/rx.c",
            "native/rxbatch.c",
            "native/rxguess.c",
            "native/rxplace.c",
            "native/tap.c",
            "native/tx.c",
            "native/txbatch.c",
            "native/txdesc.c",
            "native/uring.c",
            "native/verdict.c"
          ],
          "defines": ["_GNU_SOURCE", "NAPI_DISABLE_CPP_EXCEPTIONS"],
          "cflags": ["-O3", "-Wall", "-Wextra", "-fvisibility=hidden"],
          "cflags_c": ["-std=c11"],
          "cflags_cc": ["-std=c++17"]
        }, {
          "sources": ["native/unsupported.cc"],
          "defines": ["NAPI_DISABLE_CPP_EXCEPTIONS"]
        }]
      ]
    }
  ]
}
