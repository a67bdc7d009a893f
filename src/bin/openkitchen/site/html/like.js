// The Like button without a reload. Without this file the form still works: the browser sends it, the kitchen answers
// 303, and the page is loaded again. With it, the same request goes out, and only the number changes.
"use strict";

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form.like")) return;
  event.preventDefault();
  if (form.ariaBusy === "true") return; // one order at a time; each counts

  const count = form.querySelector(".count");
  const trouble = form.closest("article").querySelector(".trouble");
  form.ariaBusy = "true";
  trouble.textContent = "";
  try {
    const likes = await like(new URLSearchParams(new FormData(form)));
    count.textContent = `${likes} ${likes === 1 ? "like" : "likes"}`;
    form.classList.remove("liked");
    void form.offsetWidth; // a new beat of the heart for each like
    form.classList.add("liked");
  } catch (error) {
    trouble.textContent = error.message;
  }
  form.ariaBusy = "false";
});

// One request, one answer. The number is the kitchen's, not ours: others like this post, too.
async function like(order) {
  let answer;
  let content;
  try {
    answer = await fetch("/api/likes", {
      method: "POST",
      headers: { Accept: "application/json" },
      body: order,
      signal: AbortSignal.timeout(10_000),
    });
    content = await answer.text();
  } catch (error) {
    throw new Error(error.name === "TimeoutError"
      ? "The kitchen has not answered for ten seconds, so it is not known whether this like was stored."
      : "The kitchen cannot be reached. Is the server still running?");
  }
  if (!answer.ok) throw new Error(`${content.trim()} (${answer.status})`);
  return JSON.parse(content).likes;
}
