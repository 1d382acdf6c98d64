// Search on pages that were opened from a disk, where browsers allow no workers: the
// worker's script runs in a hidden frame instead. It is named like the package that
// mkdocs-material's plugin `offline` would load from elsewhere.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.appendChild(frame)
      const inside = (this.inside = frame.contentWindow)
      inside.document.open()
      inside.document.write(
        "<script>postMessage = (data) => parent.postMessage(data, '*')</" + "script>" +
        `<script src="${url}"></` + "script>"
      )
      inside.document.close()
      window.addEventListener("message", (event) => {
        if (event.source === inside)
          this.dispatchEvent(new MessageEvent("message", { data: event.data }))
      })
      this.ready = new Promise((done) => (frame.onload = done))
    }
    postMessage(data) {
      this.ready.then(() => window.postMessage.call(this.inside, data, "*"))
    }
    terminate() {}
  }
}
