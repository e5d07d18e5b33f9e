"""How well text can be told from what is behind it, as a script for a browser."""

# Each visible text with its colour, and the colours behind it, which may be seen through: WCAG 2.2
# says how they compare. A canvas knows every way in which CSS writes a colour.
CONTRAST = """
() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const light = (colours) => {
    for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255).map(
      (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const colours = [];
    for (; element; element = element.parentElement) {
      colours.unshift(getComputedStyle(element).backgroundColor);
    }
    return ["white", ...colours];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility() || element.closest("script, style")) continue;
    const style = getComputedStyle(element), colours = behind(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [light([...colours, ink]), light(colours)];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text.slice(0, 40)]);
  }
  return found;
}
"""
