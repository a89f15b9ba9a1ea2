import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { Confirm } from "./confirm";

const words = { title: "Remove it?", confirm: "Remove", cancel: "Cancel", failed: "Nothing was removed" };

function open(onConfirm: () => Promise<unknown>) {
  render(
    <Confirm words={words} onConfirm={onConfirm} button={(ask) => <button onClick={ask}>Begin</button>}>
      <p>It will be gone.</p>
    </Confirm>,
  );
  return userEvent.setup();
}
const button = (name: string) => screen.getByRole("button", { name });

test("nothing is done until it is confirmed", async () => {
  let done = 0;
  const user = open(async () => done++);
  await user.click(button("Begin"));
  expect(screen.getByRole("dialog").textContent).toContain("It will be gone.");
  await user.click(button("Cancel"));
  expect(screen.queryByRole("dialog")).toBeNull();
  await user.click(button("Begin"));
  await user.keyboard("{Escape}");
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(done).toBe(0);
  await user.click(button("Begin"));
  await user.click(button("Remove"));
  expect(done).toBe(1);
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("while it goes on it can be neither confirmed again nor left; where it fails it says why", async () => {
  let fail: (e: Error) => void = () => undefined;
  const user = open(() => new Promise((_, no) => (fail = no)));
  await user.click(button("Begin"));
  await user.click(button("Remove"));
  expect(button("Remove")).toHaveProperty("disabled", true);
  await user.keyboard("{Escape}");
  fail(new Error("The server said no."));
  expect((await screen.findByRole("alert")).textContent).toBe("Nothing was removed. The server said no.");
  await user.click(button("Cancel"));
  await user.click(button("Begin"));
  expect(screen.queryByRole("alert")).toBeNull();
});
