/** Why something was not done or not shown, told at once to who cannot see it. */
export function Failed({ words }: { readonly words: string | undefined }) {
  return words === undefined ? null : (
    <p class="error" role="alert">
      {words}
    </p>
  );
}
