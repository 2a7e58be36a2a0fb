const steps = [...document.querySelectorAll("section")];
let here = 0;
function show(number) {
  here = Math.max(0, Math.min(number, steps.length - 1));
  steps.forEach((each, place) => each.classList.toggle("here", place === here));
  steps[here].focus();
}
document.documentElement.classList.add("js");
document.getElementById("back").onclick = () => show(here - 1);
document.getElementById("on").onclick = () => show(here + 1);
const keys = {
  ArrowRight: () => show(here + 1),
  ArrowLeft: () => show(here - 1),
  Home: () => show(0),
  End: () => show(steps.length - 1),
};
for (let number = 1; number <= 9; number += 1) {
  keys[number] = () => steps[here].querySelectorAll(".ask button")[number - 1]?.click();
}
stepping(keys);
document.querySelectorAll(".ask button").forEach((each) => {
  each.onclick = () => {
    each.parentNode.querySelector(".said").textContent = each.dataset.says;
  };
});
document.querySelectorAll(".ask input").forEach((each) => {
  each.onchange = () => {
    const yes = Number(each.value) === Number(each.dataset.right);
    const said = each.closest(".ask").querySelector(".said");
    said.textContent = (yes ? each.dataset.yes : each.dataset.no) + " " + each.dataset.says;
  };
});
show(0);
