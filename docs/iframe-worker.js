// Pages opened from a folder may start no worker, so the search would be dead: its script runs in a
// hidden frame instead, which speaks to the page as a worker does.
(function () {
  if (location.protocol !== "file:") return;
  class FrameWorker extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      const inside = (this.inside = frame.contentWindow);
      const script = inside.document.createElement("script");
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      script.src = url;
      this.ready = new Promise((done) => script.addEventListener("load", done));
      inside.document.body.appendChild(script);
    }
    postMessage(data) {
      const tell = () => this.inside.dispatchEvent(new MessageEvent("message", { data }));
      this.ready.then(tell);
    }
    terminate() {
      this.inside.frameElement.remove();
    }
  }
  window.IFrameWorker = window.Worker = FrameWorker;
})();
