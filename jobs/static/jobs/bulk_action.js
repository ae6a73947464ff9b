// Follows a bulk action: shows its latest account until it is over, without loading the page.

const EVERY_MS = 1000;

const region = document.getElementById("bulk-action");

/** Show the latest account; answer whether it goes on. */
async function look() {
  const response = await fetch(region.dataset.progress, { headers: { Accept: "text/html" } });
  if (response.redirected || response.status === 404) return false;
  if (!response.ok) return true;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const account = page.body.firstElementChild;
  region.replaceChildren(account);
  if (!("over" in account.dataset)) return true;
  document.getElementById("bulk-action-cancel").hidden = true;
  document.getElementById("bulk-action-end").textContent =
    `It is over: ${account.dataset.status.toLowerCase()}.`;
  return false;
}

async function follow() {
  let goesOn = true;
  try {
    if (!document.hidden) goesOn = await look();
  } catch {
    // the network is away: it is looked at again
  }
  if (goesOn) setTimeout(follow, EVERY_MS);
}

if (region?.dataset.progress) setTimeout(follow, EVERY_MS);
