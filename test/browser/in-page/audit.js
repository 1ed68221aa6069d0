"use strict";
// Runs in the page (audit.ts sends it there, its types stripped): what a machine can tell of accessibility: names,
// labels, ids, contrast, sizes of targets, and that nothing runs over the side. A script and no module.
const inPage = {
    shown: (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
        element.getBoundingClientRect().width > 1,
    told: (element) => `<${element.tagName.toLowerCase()} class="${element.className}"> ${element.textContent?.slice(0, 40)}`,
    isNamed(element) {
        const by = element.getAttribute('aria-labelledby');
        const parts = [
            element.getAttribute('aria-label'),
            by && document.getElementById(by)?.textContent,
            element.closest('label')?.textContent,
            element.textContent,
        ];
        return parts.some(part => part?.trim());
    },
    /** Everything that people act on has a name, and a finger finds it. */
    controls(least) {
        const found = document.querySelectorAll('button, a[href], input, textarea, select, dialog, [role=option], [role=menuitem]');
        return [...found].filter(inPage.shown).flatMap(element => {
            const { width, height } = element.getBoundingClientRect();
            const inText = getComputedStyle(element).display === 'inline' || element.matches('.link');
            const small = element.matches('button, a') && !inText && Math.min(width, height) < least;
            return [
                ...(inPage.isNamed(element) ? [] : [`no name: ${inPage.told(element)}`]),
                ...(small ? [`small target, ${width} × ${height}: ${inPage.told(element)}`] : []),
            ];
        });
    },
    document() {
        const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
        const hidden = document.querySelectorAll('[aria-hidden=true] :is(button, a, input)');
        const { scrollWidth, lang } = document.documentElement;
        return [
            ...[...document.images]
                .filter(image => !image.hasAttribute('alt'))
                .map(image => `no alt: ${image.src}`),
            ...ids.filter((id, at) => ids.indexOf(id) !== at).map(id => `id twice: ${id}`),
            ...[...hidden].map(element => `hidden but reachable: ${inPage.told(element)}`),
            ...(scrollWidth > innerWidth ? [`wider than the window: ${scrollWidth} px`] : []),
            ...(lang ? [] : ['no language']),
            ...(document.querySelectorAll('h1').length === 1 ? [] : ['not one h1']),
        ];
    },
    canvas: document.createElement('canvas').getContext('2d', { willReadFrequently: true }),
    /** A canvas turns any notation of a colour into numbers. */
    rgba(colour) {
        const { canvas } = inPage;
        if (!canvas)
            throw new Error('no canvas');
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r = 0, g = 0, b = 0, a = 0] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    },
    over: (top, below) => [0, 1, 2].map(at => (top[at] ?? 0) * (top[3] ?? 1) + (below[at] ?? 0) * (1 - (top[3] ?? 1))),
    behind(element) {
        if (!element)
            return matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255];
        const own = inPage.rgba(getComputedStyle(element).backgroundColor);
        return own[3] === 1 ? own : inPage.over(own, inPage.behind(element.parentElement));
    },
    light(colour) {
        const [r = 0, g = 0, b = 0] = colour.map(part => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    },
    /** WCAG 2.2 AA: 4.5 for text, 3 for large text. */
    contrast(element) {
        const style = getComputedStyle(element);
        const ground = inPage.behind(element);
        const a = inPage.light(inPage.over(inPage.rgba(style.color), ground));
        const b = inPage.light(ground);
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const size = Number.parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        return ratio < (large ? 3 : 4.5)
            ? [
                `contrast ${ratio.toFixed(2)}: ${inPage.told(element)} (${style.color} on ${ground.map(Math.round)})`,
            ]
            : [];
    },
    contrasts() {
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const elements = new Set();
        for (let node = walker.nextNode(); node; node = walker.nextNode())
            if (node.parentElement && node.textContent?.trim())
                elements.add(node.parentElement);
        const exempt = '.emoji, .hidden, [aria-disabled=true], [aria-busy=true], .skip, dialog:not([open])';
        return [...elements]
            .filter(element => inPage.shown(element) && !element.closest(exempt))
            .flatMap(inPage.contrast);
    },
};
/** What is wrong, in words; empty when all is well. `least`: the least side of what a finger presses, in px. */
// biome-ignore lint/correctness/noUnusedVariables: called by audit.ts
function auditPage(least) {
    return [...new Set([...inPage.controls(least), ...inPage.document(), ...inPage.contrasts()])];
}
