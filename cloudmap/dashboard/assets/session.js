// A session may end while a page is open: the next answer is then 401, and the way on is to sign in and come back to the same view.
(() => {
  const ask = window.fetch.bind(window);
  let leaving = false;
  window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    if (answer.status === 401 && !leaving) {
      leaving = true;
      const here = window.location.pathname + window.location.search;
      window.location.assign(`/signin?next=${encodeURIComponent(here)}`);
    }
    return answer;
  };
})();
