/** Every way a photo comes in: taken, chosen, pasted or dropped. */

const button = document.querySelector("#camera");
const menu = document.querySelector("#camera-menu");
const chosen = document.querySelector("#photo");
const taken = document.querySelector("#take");
const drop = document.querySelector("#drop");

/** Open the file picker; only in answer to a click. */
export const choosePhoto = () => chosen.click();

/** Call `take` with each photo that comes in. */
export function onPhoto(take) {
  for (const input of [chosen, taken]) {
    input.addEventListener("change", () => {
      const [photo] = input.files;
      if (photo) take(photo);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  const takeFrom = (event, data) => {
    const [photo] = data?.files ?? [];
    if (!photo) return;
    event.preventDefault();
    take(photo);
  };
  addEventListener("paste", (event) => takeFrom(event, event.clipboardData));
  addEventListener("drop", (event) => {
    drop.togglePopover(false);
    takeFrom(event, event.dataTransfer);
  });
}

addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  drop.togglePopover(true);
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) drop.togglePopover(false);
});

for (const [id, input] of [["choose-photo", chosen], ["take-photo", taken]]) {
  document.querySelector(`#${id}`).addEventListener("click", () => {
    menu.hidePopover();
    input.click();
  });
}
menu.addEventListener("beforetoggle", (event) => {
  if (event.newState !== "open") return;
  const { bottom, right } = button.getBoundingClientRect();
  menu.style.top = `${bottom + 6}px`;
  menu.style.right = `${Math.max(8, document.documentElement.clientWidth - right)}px`;
});
menu.addEventListener("toggle", (event) => {
  button.setAttribute("aria-expanded", String(event.newState === "open"));
});
